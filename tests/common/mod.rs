//! What several test files share.
#![allow(dead_code, reason = "each test file uses a part")]

pub mod damage;
pub mod hostile;
pub mod random_graph;

use std::path::PathBuf;
use std::time::Duration;

use keraunos::graph::eval::{Leaves, eval};
use keraunos::program::Program;
use keraunos::runtime::Device;
use keraunos::tensor::{Array, Tensor};

/// The adapter of this machine, a software one included. CI installs one: none is a failure.
pub fn gpu() -> Device {
    Device::open("gpu").expect("these tests need an adapter; Mesa's software driver will do")
}

/// The outputs of an unoptimised program by each operation's own host evaluation.
pub fn oracle(program: &Program, inputs: &[Tensor]) -> Vec<Tensor> {
    let arrays: Vec<Array> = inputs.iter().map(|t| t.to_array().unwrap()).collect();
    let variables = program
        .variables
        .iter()
        .map(|(id, v)| (*id, v.value().unwrap().to_array().unwrap()))
        .collect();
    let leaves = Leaves { inputs: &arrays, variables, hoisted: &[] };
    let outputs = eval(&program.nodes, &program.outputs, &leaves).unwrap();
    outputs.iter().map(Array::to_tensor).collect()
}

/// Asserts that two tensors agree: integers exactly, floats within `tolerance` of the largest
/// expected magnitude (at least 1).
pub fn assert_close(found: &Tensor, expected: &Tensor, tolerance: f64, what: &str) {
    assert_eq!(found.spec(), expected.spec(), "{what}");
    let finite = expected.iter_f64().filter(|x| x.is_finite());
    let scale = finite.fold(1.0f64, |m, x| m.max(x.abs()));
    let allowed = if expected.dtype().is_float() { tolerance * scale } else { 0.0 };
    for (i, (f, e)) in found.iter_f64().zip(expected.iter_f64()).enumerate() {
        let same = f == e || (f.is_nan() && e.is_nan()) || (f - e).abs() <= allowed;
        assert!(same, "{what}: element {i} of {} is {f}, expected {e}", found.spec());
    }
}

/// The most memory that this process has held at one time, in bytes, where the system tells.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
}

/// The time for which this process has been computing, where the system tells; for measurements that
/// other processes shall not disturb.
pub fn computing_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is a name in parentheses; user and system time, in hundredths of a second,
    // are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Duration::from_millis(10 * (ticks(11)? + ticks(12)?)))
}

/// The Python with Keras that `KERAUNOS_PYTHON` names; without one a line says what is skipped.
pub fn python() -> Option<PathBuf> {
    let named = std::env::var_os("KERAUNOS_PYTHON").filter(|python| !python.is_empty());
    let python = named.filter(|python| python != "none").map(PathBuf::from);
    if python.is_none() {
        println!("skipped: KERAUNOS_PYTHON names no Python with Keras");
    }
    python
}
