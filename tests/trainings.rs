//! Trainings beside those that Keras recorded: every weight and every variable of the optimizer after
//! every step, on the host and on a GPU; and one training handed to Keras and back.
//!
//! `make test` records them into `target/keras/trainings` (`tests/keras/make_trainings.py`). Without
//! them each test says in one line that it was skipped.

mod common;

use std::collections::HashMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use keraunos::saving::npz::read_npz;
use keraunos::trainers::Data;
use keraunos::{Device, Model, Tensor, load_model};

const MODELS: [&str; 3] = ["mlp", "cnn", "lstm"];

/// Further models, for the relay alone.
const RELAYED: [&str; 6] = ["encoder", "conv_lstm", "gru", "averaged", "scaled", "parts"];

/// Largest difference of a variable, in parts of its largest magnitude.
const TOLERANCE: f64 = 1e-4;

/// Largest difference of a loss, in parts of the loss.
const RELAY_TOLERANCE: f64 = 1e-3;

/// Steps on each side of the relay.
const LEG: usize = 10;

type Arrays = HashMap<String, Tensor>;

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/keras/trainings");
    if !folder.is_dir() {
        println!("skipped: no trainings recorded by Keras; `make test` records them");
        return None;
    }
    Some(folder)
}

fn arrays(path: &Path) -> Arrays {
    read_npz(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).into_iter().collect()
}

/// One batch of each step.
fn batches(folder: &Path, model: &str) -> Vec<Data> {
    let all = arrays(&folder.join(format!("{model}.npz")));
    let step = |tensor: &Tensor, i: usize| {
        let shape = tensor.shape();
        let rest: Vec<usize> = (1..shape.rank()).map(|axis| shape[axis]).collect();
        tensor.rows(i, 1).unwrap().reshape(rest).unwrap()
    };
    let steps = all["x"].shape()[0];
    (0..steps).map(|i| Data::new(&[step(&all["x"], i)], &[step(&all["y"], i)])).collect()
}

/// The optimizers recorded for a model.
fn optimizers(folder: &Path, model: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name());
    let name = |file: std::ffi::OsString| {
        let file = file.into_string().ok()?;
        Some(file.strip_suffix(".keras")?.strip_prefix(&format!("{model}-"))?.to_owned())
    };
    let mut names: Vec<String> = entries.filter_map(name).collect();
    names.sort();
    names
}

fn loss(model: &mut Model, batch: &Data, device: &Device) -> f64 {
    model.reset_metrics().unwrap();
    model.train_on_batch(batch, device).unwrap()[0].1.mean()
}

/// The largest difference in parts of the largest magnitude.
fn difference(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.shape(), expected.shape());
    let scale = expected.iter_f64().fold(0.0, |m: f64, x| m.max(x.abs()));
    let pairs = found.iter_f64().zip(expected.iter_f64());
    let largest = pairs.fold(0.0, |m: f64, (a, b)| if a == b { m } else { m.max((a - b).abs()) });
    if largest == 0.0 { 0.0 } else { largest / scale }
}

/// Trains as recorded; what differs most, as a line, and by how much.
fn compare(folder: &Path, model: &str, optimizer: &str, device: &Device) -> (f64, String) {
    let path = folder.join(format!("{model}-{optimizer}"));
    let recorded = arrays(&path.with_extension("npz"));
    let mut trained = load_model(path.with_extension("keras")).unwrap();
    let mut worst = (0.0, String::new());
    for (step, batch) in batches(folder, model).iter().enumerate() {
        let loss = loss(&mut trained, batch, device);
        let weights = trained.variables().into_iter().map(|(name, v)| (name, v.value().unwrap()));
        let state = trained.optimizer().unwrap().variables().into_iter();
        let state = state.map(|v| (v.name().to_owned(), v.value().unwrap()));
        let weights = weights.enumerate().map(|(i, pair)| (format!("w{i}"), pair));
        let state = state.enumerate().map(|(i, pair)| (format!("s{i}"), pair));
        let loss = Tensor::scalar(loss as f32);
        let all = std::iter::once(("loss".to_owned(), ("loss".to_owned(), loss)));
        let mut count = 0;
        for (key, (name, found)) in all.chain(weights).chain(state) {
            count += 1;
            let expected = recorded.get(&format!("{step}/{key}"));
            let expected = expected.unwrap_or_else(|| panic!("{model}-{optimizer}: {name}"));
            let by = difference(&found, expected);
            if by.is_nan() || by > worst.0 {
                worst = (by, format!("{model} with {optimizer}: {by:.1e} in {name}, step {step}"));
            }
        }
        let of_step = recorded.keys().filter(|key| key.starts_with(&format!("{step}/"))).count();
        // The accuracy is the one thing recorded that is not compared here.
        assert_eq!(count + 1, of_step, "{model}-{optimizer}");
    }
    worst
}

fn trainings_are_those_of_keras(device: &Device) {
    let Some(folder) = folder() else { return };
    let mut failed = Vec::new();
    for model in MODELS {
        let optimizers = optimizers(&folder, model);
        assert!(optimizers.len() > 14, "{optimizers:?}");
        for optimizer in optimizers {
            let (by, line) = compare(&folder, model, &optimizer, device);
            println!("{line}");
            if by.is_nan() || by > TOLERANCE {
                failed.push(line);
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn trainings_on_the_host_are_those_of_keras() {
    trainings_are_those_of_keras(&Device::Host);
}

#[test]
fn trainings_on_a_gpu_are_those_of_keras() {
    trainings_are_those_of_keras(&common::gpu());
}

/// Ten steps here, ten in Keras, ten here, each from the other's file.
#[test]
fn a_training_is_handed_to_keras_and_back() {
    let (Some(folder), Some(python)) = (folder(), python()) else { return };
    let work = tempfile::tempdir().unwrap();
    let device = common::gpu();
    let train = |name: &str, model: &mut Model, batches: &[Data]| -> Vec<f64> {
        // Further models on the host: a software adapter takes long to compile what they need.
        let device = if RELAYED.contains(&name) { &Device::Host } else { &device };
        batches.iter().map(|batch| loss(model, batch, device)).collect()
    };
    let mut losses: HashMap<&str, Vec<f64>> = HashMap::new();
    for model in MODELS.into_iter().chain(RELAYED) {
        let mut first = load_model(folder.join(format!("relay-{model}.keras"))).unwrap();
        let batches = batches(&folder, &format!("relay-{model}"));
        losses.insert(model, train(model, &mut first, &batches[..LEG]));
        first.save(work.path().join(format!("{model}-10.keras"))).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keras/relay.py");
    let mut command = Command::new(python);
    let status = command
        .arg(script)
        .arg(&folder)
        .arg(work.path())
        .args(MODELS)
        .args(RELAYED)
        .status()
        .unwrap();
    assert!(status.success());
    for model in MODELS.into_iter().chain(RELAYED) {
        let losses = losses.get_mut(model).unwrap();
        let middle = arrays(&work.path().join(format!("{model}-20.npz")));
        losses.extend(middle["losses"].iter_f64());
        let mut last = load_model(work.path().join(format!("{model}-20.keras"))).unwrap();
        let batches = batches(&folder, &format!("relay-{model}"));
        losses.extend(train(model, &mut last, &batches[2 * LEG..]));
        let alone = arrays(&folder.join(format!("relay-{model}.npz")))["losses"].clone();
        assert_eq!(losses.len(), alone.len());
        for (step, (found, expected)) in losses.iter().zip(alone.iter_f64()).enumerate() {
            let by = (found - expected).abs() / expected.abs();
            assert!(by <= RELAY_TOLERANCE, "{model}, step {step}: {found}, Keras alone {expected}");
        }
    }
}

/// A Python with Keras.
fn python() -> Option<PathBuf> {
    let python = env::var_os("KERAUNOS_PYTHON").filter(|python| python != "none");
    if python.is_none() {
        println!("skipped: KERAUNOS_PYTHON names no Python with Keras");
    }
    python.map(PathBuf::from)
}
