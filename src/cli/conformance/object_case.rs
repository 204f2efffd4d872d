//! Areas `losses`, `regularizers` and `constraints`: one object or function, one call.

use serde_json::Map;

use crate::base::{DType, Error, Nested, Result};
use crate::cli::conformance::compare::{Comparison, tolerance};
use crate::cli::conformance::operation_case::to_json;
use crate::cli::conformance::suite::{Area, Arrays, Case, Leaf};
use crate::graph::{Graph, Value};
use crate::layers::config::Config;
use crate::losses::{self, Weights};
use crate::program::{Options, Program};
use crate::runtime::{Compiled, Device};
use crate::saving::json::Json;
use crate::tensor::Tensor;
use crate::{constraints, regularizers};

/// Traces the call of a case, computes it and compares the output.
pub fn run(area: &Area, case: &Case, device: &Device) -> Result<Comparison> {
    let arrays = &mut Arrays::new(area, case);
    let found = match (area.name, case.text("kind")?) {
        ("losses", "function") => function(case, arrays, device)?,
        ("losses", _) => loss(case, arrays, device)?,
        _ => {
            let x = arrays.structure(case.get("args").get(0).unwrap_or(&Json::Null))?;
            let x = tensor(&x)?.ok_or_else(|| Error::Invalid("recorded case: no input".into()))?;
            compute(device, &[x], |values| projection(area.name, case, values[0]))?
        }
    };
    let expected = arrays.structure(case.get("out"))?;
    Comparison::of(&[found], &expected.flatten(), tolerance(case))
}

fn loss(case: &Case, arrays: &mut Arrays<'_>, device: &Device) -> Result<Tensor> {
    let mut record = case.get("config").clone();
    record["config"]["dtype"] = case.get("loss_dtype").clone();
    let loss = losses::get(&record, "a recorded case")?;
    let names = ["y_true", "y_pred", "sample_weight", "mask_of_y_pred"];
    let (mut inputs, mut given) = (Vec::new(), Vec::new());
    for name in names {
        let value = case.get("args").get(name).or_else(|| case.record.get(name));
        let value = tensor(&arrays.structure(value.unwrap_or(&Json::Null))?)?;
        given.push(value.is_some());
        inputs.extend(value);
    }
    compute(device, &inputs, |values| {
        let mut values = values.iter().copied();
        let mut take = |given: bool| if given { values.next() } else { None };
        let [y_true, y_pred, sample_weight, mask] = [0, 1, 2, 3].map(|i| take(given[i]));
        match (y_true, y_pred) {
            (Some(y_true), Some(y_pred)) => {
                Ok(loss.compute(y_true, y_pred, Weights { sample_weight, mask }))
            }
            _ => Err(Error::Invalid("recorded case: a loss without labels".into())),
        }
    })
}

/// A function of `keras.losses`: further arguments than labels and predictions are its config.
fn function(case: &Case, arrays: &mut Arrays<'_>, device: &Device) -> Result<Tensor> {
    let def = losses::function(&case.class);
    let def = def.ok_or_else(|| Error::Unsupported(format!("the function {}", case.class)))?;
    let mut config = Map::new();
    if let Json::Object(items) = case.get("kwargs") {
        for (key, item) in items {
            config.insert(key.clone(), to_json(&arrays.structure(item)?)?);
        }
    }
    let config = Config::new(case.class.clone(), config, (def.defaults)());
    let function = (def.new)(&config)?;
    config.finish()?;
    let Nested::List(args) = arrays.structure(case.get("args"))? else {
        return Err(Error::Invalid("recorded case: args is not a list".into()));
    };
    let inputs: Vec<Tensor> =
        args.iter().map(tensor).filter_map(Result::transpose).collect::<Result<_>>()?;
    compute(device, &inputs, |values| match values {
        &[y_true, y_pred] => Ok(function.call(y_true, y_pred).values),
        _ => Err(Error::Unsupported(format!("{} positional arguments", values.len()))),
    })
}

fn projection<'g>(area: &str, case: &Case, x: Value<'g>) -> Result<Value<'g>> {
    let (record, owner) = (case.get("config"), "a recorded case");
    let none = || Error::Invalid("recorded case: no object".into());
    match area {
        "regularizers" => regularizers::get(record, owner)?.ok_or_else(none)?.call(x),
        _ => constraints::get(record, owner)?.ok_or_else(none)?.call(x),
    }
}

/// A recorded array or plain number; nothing for null.
pub(super) fn tensor(value: &Nested<Leaf>) -> Result<Option<Tensor>> {
    match value {
        Nested::None | Nested::Leaf(Leaf::Plain(Json::Null)) => Ok(None),
        Nested::Leaf(Leaf::Array(tensor)) => Ok(Some(tensor.clone())),
        Nested::Leaf(Leaf::Plain(json)) => {
            let dtype = if json.is_i64() { DType::Int32 } else { DType::Float32 };
            crate::layers::numbers::array(json).map(|tensor| Some(tensor.cast(dtype)))
        }
        Nested::List(_) => {
            crate::layers::numbers::array(&to_json(value)?).map(|t| Some(t.cast(DType::Float32)))
        }
        Nested::Dict(_) => Err(Error::Unsupported("a mapping as an argument".into())),
    }
}

/// What a formula of these inputs gives on a device.
fn compute(
    device: &Device,
    inputs: &[Tensor],
    formula: impl for<'g> Fn(&[Value<'g>]) -> Result<Value<'g>>,
) -> Result<Tensor> {
    let graph = Graph::new();
    let values: Vec<Value<'_>> = inputs.iter().map(|t| graph.input(t.spec().clone())).collect();
    let output = formula(&values).map(Value::id);
    // An error inside a formula is kept by the graph, with its place: it comes first.
    let trace = graph.finish()?;
    let program = Program::new(trace, &[output?]);
    let compiled = Compiled::new(program, device, &Options::default(), &mut |_, _| {})?;
    let mut outputs = compiled.run(inputs)?;
    outputs.pop().ok_or_else(|| Error::Internal("a program without its output".into()))
}
