//! Random Functional models of real Keras: `tests/keras/random_models.py` records them into
//! `target/keras/random` (`make test` does), and every one must load and give Keras's predictions.
//!
//! Failures are listed with the seed, which repeats the model:
//! `random_models.py OUTDIR --first SEED --count 1`.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use common::gpu;
use keraunos::saving::npz::read_npz;
use keraunos::{DType, Device, Tensor, load_model};

/// The least number of models that a run must hold.
const COUNT: usize = 280;

fn recorded() -> Vec<PathBuf> {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/keras/random");
    let folder = std::env::var_os("KERAUNOS_RANDOM").map_or(made, PathBuf::from);
    let entries = std::fs::read_dir(&folder).expect("run `make test`, which records the models");
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut models: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "npz"))
        .map(|path| path.with_extension("keras"))
        .collect();
    models.sort();
    assert!(
        std::env::var_os("KERAUNOS_RANDOM").is_some() || models.len() >= COUNT,
        "{} models",
        models.len()
    );
    models
}

/// How far outputs may lie from Keras's: some roundings of the dtype they were computed in, and some
/// times as far as the output moves when inputs and weights are rounded otherwise.
fn allowed(config: &str, expected: &Tensor, sensitivity: &Tensor) -> f64 {
    let finite = expected.iter_f64().filter(|x| x.is_finite());
    let largest = finite.fold(1e-3f64, |m, x| m.max(x.abs()));
    let rounding = match () {
        () if config.contains("bfloat16") => 2e-2,
        () if config.contains("float16") => 3e-3,
        () => 2e-5,
    };
    rounding * largest + 6.0 * sensitivity.iter_f64().sum::<f64>()
}

fn largest_difference(found: &Tensor, expected: &Tensor) -> f64 {
    let pairs = found.iter_f64().zip(expected.iter_f64());
    pairs
        .map(|(f, e)| match (f - e).abs() {
            _ if f == e || f.is_nan() && e.is_nan() => 0.0,
            difference if difference.is_finite() => difference,
            _ => f64::INFINITY,
        })
        .fold(0.0, f64::max)
}

/// The arrays `x0`, `x1`, ... of a file, where `letter` is "x".
fn numbered(arrays: &[(String, Tensor)], letter: char) -> Vec<Tensor> {
    let names = (0..).map(|i| format!("{letter}{i}"));
    names.map_while(|name| Some(arrays.iter().find(|(n, _)| *n == name)?.1.clone())).collect()
}

/// The dtype that Keras's arrays have: JAX makes 32 bits of 64, and npz files hold no bfloat16.
fn narrowed(dtype: DType) -> DType {
    match dtype {
        DType::Int64 => DType::Int32,
        DType::BFloat16 => DType::Float32,
        other => other,
    }
}

fn check(path: &Path, device: &Device) -> Result<(), String> {
    let model = load_model(path).map_err(|e| e.to_string())?;
    let arrays = read_npz(&path.with_extension("npz")).map_err(|e| e.to_string())?;
    let [inputs, expected, sensitivity] = ['x', 'y', 'd'].map(|letter| numbered(&arrays, letter));
    let outputs = model.call(&inputs, device).map_err(|e| e.to_string())?;
    if outputs.len() != expected.len() {
        return Err(format!("{} outputs, expected {}", outputs.len(), expected.len()));
    }
    let config = model.config().to_string();
    for (i, (found, expected)) in outputs.iter().zip(&expected).enumerate() {
        if found.shape() != expected.shape()
            || narrowed(found.dtype()) != narrowed(expected.dtype())
        {
            return Err(format!("output {i}: {}, expected {}", found.spec(), expected.spec()));
        }
        let difference = largest_difference(found, expected);
        let allowed = allowed(&config, expected, &sensitivity[i]);
        if difference > allowed {
            return Err(format!("output {i} differs by {difference:.2e}, allowed {allowed:.2e}"));
        }
    }
    Ok(())
}

/// What is wrong with a model, if anything; a panic is a failure like another.
fn failure(path: &Path, device: &Device) -> Option<String> {
    let checked = catch_unwind(AssertUnwindSafe(|| check(path, device)));
    let what = checked.unwrap_or_else(|_| Err("panicked".into())).err()?;
    Some(format!("{}: {what}", path.display()))
}

fn check_all(device: &Device) {
    let models = recorded();
    let failures: Vec<String> = models.iter().filter_map(|path| failure(path, device)).collect();
    assert!(
        failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        models.len(),
        failures.join("\n")
    );
}

#[test]
fn random_models_on_the_host() {
    check_all(&Device::Host);
}

#[test]
fn random_models_on_the_gpu() {
    check_all(&gpu());
}
