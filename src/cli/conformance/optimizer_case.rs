//! Area `optimizers`: weights and state after updates by given gradients.

use crate::base::{Error, Result};
use crate::cli::conformance::compare::{Comparison, tolerance};
use crate::cli::conformance::suite::{Area, Arrays, Case, Leaf};
use crate::graph::{Graph, Value};
use crate::optimizers::{Optimizer, Step, Weight, registry};
use crate::program::{Options, Program};
use crate::runtime::{Compiled, Device};
use crate::saving::json::Json;
use crate::tensor::{Tensor, Variable};

/// Updates the case's weights and compares them and the state after every step.
pub fn run(area: &Area, case: &Case, device: &Device) -> Result<Comparison> {
    let mut arrays = Arrays::new(area, case);
    let (at_start, state, steps) = match case.text("kind")? {
        "stateless" => {
            let step = [
                ("grads", "grads"),
                ("variables_after", "variables_out"),
                ("optimizer_variables_after", "optimizer_variables_out"),
            ];
            let step = step.map(|(to, from)| (to.to_owned(), case.get(from).clone()));
            let steps = vec![Json::Object(step.into_iter().collect())];
            ("variables_in", "optimizer_variables_in", steps)
        }
        _ => {
            let steps = case.get("steps").as_array().cloned().unwrap_or_default();
            ("variables_start", "optimizer_variables_start", steps)
        }
    };
    let weights = weights(case, &tensors(&mut arrays, case.get(at_start))?)?;
    let mut optimizer = registry::from_record(case.get("config"))?;
    optimizer.build(&weights)?;
    let variables = optimizer.variables();
    if !case.get(state).is_null() {
        set(&variables, &tensors(&mut arrays, case.get(state))?)?;
    }
    let mut all = Comparison::default();
    for (i, step) in steps.iter().enumerate() {
        let part = |key: &str| step.get(key).unwrap_or(&Json::Null);
        apply(optimizer.as_ref(), &gradients(&mut arrays, part("grads"))?, device)?;
        let expected = tensors(&mut arrays, part("variables_after"))?
            .into_iter()
            .chain(tensors(&mut arrays, part("optimizer_variables_after"))?)
            .map(Leaf::Array);
        let expected: Vec<Leaf> = expected.collect();
        let found = weights.iter().map(|weight| &weight.variable).chain(&variables);
        let found = found.map(Variable::value).collect::<Result<Vec<Tensor>>>()?;
        let one = Comparison::of(&found, &expected.iter().collect::<Vec<_>>(), tolerance(case))?;
        all.include(one, i);
    }
    Ok(all)
}

fn weights(case: &Case, values: &[Tensor]) -> Result<Vec<Weight>> {
    let described = case.get("variables").as_array().cloned().unwrap_or_default();
    if described.len() != values.len() {
        return Err(Error::Invalid("recorded case: variables without values".into()));
    }
    let decays = case.get("use_weight_decay");
    let weight = |(i, (about, value)): (usize, (Json, &Tensor))| {
        let text = |key: &str| about.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        Weight {
            variable: Variable::new(&text("name"), true, std::sync::Arc::new(value.clone())),
            path: text("path"),
            decays: decays.get(i).and_then(Json::as_bool).unwrap_or(true),
            constraint: None,
            overwritten: about.get("overwrite_with_gradient").and_then(Json::as_bool) == Some(true),
        }
    };
    Ok(described.into_iter().zip(values).enumerate().map(weight).collect())
}

fn set(variables: &[Variable], values: &[Tensor]) -> Result<()> {
    if variables.len() != values.len() {
        let found = format!("{} variables, recorded {}", variables.len(), values.len());
        return Err(Error::Invalid(format!("the optimizer has {found}")));
    }
    variables.iter().zip(values).try_for_each(|(variable, value)| variable.assign(value.clone()))
}

/// One update as a program of its own.
fn apply(optimizer: &dyn Optimizer, gradients: &[Option<Tensor>], device: &Device) -> Result<()> {
    let graph = Graph::new();
    let given: Vec<Option<Value<'_>>> = gradients
        .iter()
        .map(|gradient| gradient.as_ref().map(|tensor| graph.input(tensor.spec().clone())))
        .collect();
    optimizer.apply(&Step::new(&graph), &given)?;
    let program = Program::new(graph.finish()?, &[]);
    let compiled = Compiled::new(program, device, &Options::default(), &mut |_, _| {})?;
    let inputs: Vec<Tensor> = gradients.iter().flatten().cloned().collect();
    compiled.run(&inputs).map(|_| ())
}

fn tensors(arrays: &mut Arrays<'_>, names: &Json) -> Result<Vec<Tensor>> {
    let missing = || Error::Invalid("recorded case: an array that has no name".into());
    let all = gradients(arrays, names)?;
    all.into_iter().map(|tensor| tensor.ok_or_else(missing)).collect()
}

/// Arrays by their names; null where a weight has no gradient.
fn gradients(arrays: &mut Arrays<'_>, names: &Json) -> Result<Vec<Option<Tensor>>> {
    let names = names.as_array().map(Vec::as_slice).unwrap_or_default();
    names.iter().map(|name| name.as_str().map(|name| arrays.array(name)).transpose()).collect()
}
