//! Area `metrics`: a sequence of updates, results and resets of one metric.

use crate::base::{Error, Nested, Result, Spec};
use crate::cli::conformance::compare::{Comparison, tolerance};
use crate::cli::conformance::object_case::tensor;
use crate::cli::conformance::suite::{Area, Arrays, Case, Leaf};
use crate::graph::{Graph, Value};
use crate::losses::Weights;
use crate::metrics::{self, Metric};
use crate::program::{Options, Program};
use crate::runtime::{Compiled, Device};
use crate::saving::json::Json;
use crate::tensor::{Tensor, Variable};

/// Runs the steps of a case and compares all results, and the state after them.
pub fn run(area: &Area, case: &Case, device: &Device) -> Result<Comparison> {
    let arrays = &mut Arrays::new(area, case);
    let mut metric = metrics::get(case.get("config"), "a recorded case")?;
    let (mut all, mut built) = (Comparison::default(), false);
    let steps = case.get("steps").as_array().map_or(&[][..], Vec::as_slice);
    for (i, step) in steps.iter().enumerate() {
        match step.get("op").and_then(Json::as_str) {
            Some("update_state") => {
                let batch = Batch::read(arrays, step)?;
                if !built {
                    let specs: Vec<Spec> = batch.inputs.iter().map(|t| t.spec().clone()).collect();
                    metric.build(&specs)?;
                    built = true;
                }
                update(metric.as_ref(), &batch, device)?;
            }
            Some("result") => {
                let expected = arrays.structure(step.get("out").unwrap_or(&Json::Null))?;
                let found = result(metric.as_ref(), device)?;
                let found = Comparison::of(&[found], &expected.flatten(), tolerance(case))?;
                all.include(found, i);
            }
            Some("reset_state") => metric.base().reset()?,
            other => return Err(Error::Unsupported(format!("a step {other:?}"))),
        }
    }
    all.include(state(metric.as_ref(), case, arrays)?, steps.len());
    Ok(all)
}

/// Compares the variables with the recorded ones.
fn state(metric: &dyn Metric, case: &Case, arrays: &mut Arrays<'_>) -> Result<Comparison> {
    let Some(names) = case.get("final_variables").as_array() else {
        return Ok(Comparison::default());
    };
    let expected: Vec<Leaf> = names
        .iter()
        .map(|name| arrays.array(name.as_str().unwrap_or_default()).map(Leaf::Array))
        .collect::<Result<_>>()?;
    let variables = &metric.base().variables;
    let found: Vec<Tensor> = variables.iter().map(Variable::value).collect::<Result<_>>()?;
    Comparison::of(&found, &expected.iter().collect::<Vec<_>>(), tolerance(case))
}

/// The arguments of an update.
struct Batch {
    inputs: Vec<Tensor>,
    sample_weight: Option<Tensor>,
}

impl Batch {
    fn read(arrays: &mut Arrays<'_>, step: &Json) -> Result<Batch> {
        let part = |key: &str| step.get(key).unwrap_or(&Json::Null);
        let Nested::List(args) = arrays.structure(part("args"))? else {
            return Err(Error::Invalid("recorded case: args is not a list".into()));
        };
        let mut inputs: Vec<Option<Tensor>> = args.iter().map(tensor).collect::<Result<_>>()?;
        let named = part("kwargs").get("sample_weight").unwrap_or(&Json::Null);
        let mut sample_weight = tensor(&arrays.structure(named)?)?;
        if inputs.len() == 3 {
            sample_weight = inputs.pop().flatten();
        }
        Ok(Batch { inputs: inputs.into_iter().flatten().collect(), sample_weight })
    }
}

fn update(metric: &dyn Metric, batch: &Batch, device: &Device) -> Result<()> {
    let graph = Graph::new();
    let input = |tensor: &Tensor| graph.input(tensor.spec().clone());
    let inputs: Vec<Value<'_>> = batch.inputs.iter().map(input).collect();
    let sample_weight = batch.sample_weight.as_ref().map(input);
    let written = metric.update(&graph, &inputs, Weights { sample_weight, mask: None });
    let trace = graph.finish()?;
    written?;
    let mut tensors = batch.inputs.clone();
    tensors.extend(batch.sample_weight.clone());
    let program = Program::new(trace, &[]);
    Compiled::new(program, device, &Options::default(), &mut |_, _| {})?.run(&tensors).map(|_| ())
}

fn result(metric: &dyn Metric, device: &Device) -> Result<Tensor> {
    let graph = Graph::new();
    let output = metric.result(&graph).map(Value::id);
    let trace = graph.finish()?;
    let program = Program::new(trace, &[output?]);
    let compiled = Compiled::new(program, device, &Options::default(), &mut |_, _| {})?;
    let mut outputs = compiled.run(&[])?;
    outputs.pop().ok_or_else(|| Error::Internal("a program without its output".into()))
}
