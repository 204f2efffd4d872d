//! Every case of every operation, value and gradient, through plans on a GPU and on the host.

#[allow(dead_code, reason = "the oracle's test uses the rest")]
#[path = "common/ops_cases.rs"]
mod ops_cases;

use keraunos::Device;
use keraunos::program::{Options, Program};
use keraunos::runtime::Compiled;
use ops_cases::{Case, cases};

/// A device computes in float32 what the expected numbers were computed in float64 for, and sums in
/// another order: its tolerance is this many times that of the double-precision oracle.
const SLACK: f64 = 8.0;

fn check(device: &Device, case: &Case) -> Result<(), String> {
    let traced = case.trace();
    let wanted: Vec<(usize, usize)> =
        traced.gradients.iter().filter_map(|(&i, id)| id.map(|id| (i, id))).collect();
    let mut outputs = vec![traced.output];
    outputs.extend(wanted.iter().map(|(_, id)| id));
    let program = Program::new(traced.trace, &outputs);
    let compiled = Compiled::new(program, device, &Options::default(), &mut |_, _| {});
    let found = compiled.and_then(|c| c.run(&case.inputs)).map_err(|e| e.to_string())?;
    let array = |i: usize| found[i].to_array().map_err(|e| e.to_string());
    case.check(&array(0)?, SLACK)?;
    for (position, (input, _)) in wanted.iter().enumerate() {
        case.check_gradient(*input, Some(&array(position + 1)?), SLACK)
            .map_err(|e| format!("gradient of input {input}: {e}"))?;
    }
    Ok(())
}

fn check_all(device: &Device) {
    let cases = cases();
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|case| check(device, case).err().map(|e| format!("{}: {e}", case.name)))
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} cases failed on {device}:\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
}

#[test]
fn operations_on_the_host() {
    check_all(&Device::Host);
}

#[test]
fn operations_on_the_gpu() {
    check_all(&Device::open("gpu").expect("these tests need an adapter, if a software one"));
}
