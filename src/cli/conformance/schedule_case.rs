//! Area `schedules`: learning rates of single iterations.

use crate::base::{Error, Nested, Result};
use crate::cli::conformance::compare::{Comparison, tolerance};
use crate::cli::conformance::suite::{Area, Arrays, Case, Leaf};
use crate::graph::Graph;
use crate::optimizers::schedules;
use crate::program::{Options, Program};
use crate::runtime::{Compiled, Device};
use crate::tensor::Tensor;

/// Computes the rate of the case's iteration and compares it.
pub fn run(area: &Area, case: &Case, device: &Device) -> Result<Comparison> {
    let schedule = schedules::from_record(case.get("config"))?;
    let mut arrays = Arrays::new(area, case);
    let iteration = match arrays.structure(case.get("args"))?.flatten().as_slice() {
        [Leaf::Array(tensor)] => tensor.clone(),
        [Leaf::Plain(json)] => plain(json)?,
        other => return Err(Error::Unsupported(format!("{} arguments", other.len()))),
    };
    let graph = Graph::new();
    let rate = schedule.rate(graph.input(iteration.spec().clone())).id();
    let program = Program::new(graph.finish()?, &[rate]);
    let compiled = Compiled::new(program, device, &Options::default(), &mut |_, _| {})?;
    let found = compiled.run(&[iteration])?;
    let expected: Nested<Leaf> = arrays.structure(case.get("out"))?;
    Comparison::of(&found, &expected.flatten(), tolerance(case))
}

/// A plain number in the dtype that Keras gives it.
fn plain(json: &crate::saving::json::Json) -> Result<Tensor> {
    match (json.as_i64(), json.as_f64()) {
        (Some(integer), _) => Tensor::new([], &[integer as i32]),
        (None, Some(number)) => Ok(Tensor::scalar(number as f32)),
        (None, None) => Err(Error::Unsupported(format!("the iteration {json}"))),
    }
}
