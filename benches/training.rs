//! Training steps per second of small networks, beside Keras on TensorFlow on the same processor.
//!
//! ```text
//! cargo bench --bench training -- --device host --model mlp --optimizer adam
//! ```
//!
//! The models are those of the recorded trainings (`tests/keras/make_trainings.py`; `make test` runs
//! it). Each step is a `train_on_batch` of 8 rows, metrics read after it. With `KERAUNOS_PYTHON` naming
//! a Python that has Keras and TensorFlow, each line ends with the ratio to that.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::{Options, Times, describe};
use keraunos::base::{Error, Result};
use keraunos::saving::npz::read_npz;
use keraunos::trainers::Data;
use keraunos::{Device, Tensor, load_model};

/// Time for each line, and for Keras.
const SPAN: Duration = Duration::from_secs(3);

const KERAS: &str = "
import os, sys, time
os.environ['KERAS_BACKEND'] = 'tensorflow'
import keras, numpy
model = keras.models.load_model(sys.argv[1])
batches = numpy.load(sys.argv[2])
x, y = batches['x'][0], batches['y'][0]
model.train_on_batch(x, y)
model.train_on_batch(x, y)
times = []
begin = time.perf_counter()
while len(times) < 5 or time.perf_counter() - begin < float(sys.argv[3]):
    start = time.perf_counter()
    model.train_on_batch(x, y)
    times.append(time.perf_counter() - start)
print('times', *times)
";

fn main() -> Result<()> {
    let options = Options::from_command_line();
    options.heading("training", "training steps with metrics, batches on the host");
    let devices = options.devices()?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/keras/trainings");
    if !folder.is_dir() {
        println!("{} is missing; `make test` writes it", folder.display());
        return Ok(());
    }
    for model in options.or("model", &["mlp", "cnn", "lstm"]) {
        for optimizer in options.or("optimizer", &["adam"]) {
            let path = folder.join(format!("{model}-{optimizer}.keras"));
            let batches = folder.join(format!("{model}.npz"));
            let keras = keras(&path, &batches)?;
            let name = format!("{model} with {optimizer}");
            if let Some(times) = &keras {
                line(&name, "Keras on TensorFlow, processor", times, None);
            }
            for device in &devices {
                let times = train(&path, &batches, device)?;
                line(&name, &describe(device), &times, keras.as_ref());
            }
        }
    }
    Ok(())
}

fn line(name: &str, device: &str, times: &Times, keras: Option<&Times>) {
    let ratio =
        keras.map_or(String::new(), |k| format!(", {:.2} of Keras", k.median() / times.median()));
    println!("{name}: {:>8.1} steps/s{ratio}  {times}  {device}", 1.0 / times.median());
}

fn train(path: &PathBuf, batches: &Path, device: &Device) -> Result<Times> {
    let mut model = load_model(path)?;
    let arrays = read_npz(batches)?;
    let first = |name: &str| -> Result<Tensor> {
        let missing = || Error::Invalid(format!("{}: no '{name}'", batches.display()));
        let (_, all) = arrays.iter().find(|(n, _)| n == name).ok_or_else(missing)?;
        let rest: Vec<usize> = (1..all.shape().rank()).map(|axis| all.shape()[axis]).collect();
        all.rows(0, 1)?.reshape(rest)
    };
    let batch = Data::new(&[first("x")?], &[first("y")?]);
    Times::of(SPAN, || model.train_on_batch(&batch, device).map(|_| ()))
}

/// The same steps in Keras, where there is one.
fn keras(path: &Path, batches: &Path) -> Result<Option<Times>> {
    let Some(python) = std::env::var_os("KERAUNOS_PYTHON").filter(|p| p != "none") else {
        return Ok(None);
    };
    let output = Command::new(&python)
        .args(["-c", KERAS])
        .args([path, batches])
        .arg(SPAN.as_secs().to_string())
        .output()
        .map_err(|source| Error::Io { path: python.into(), source })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let times = text.lines().find_map(|line| line.strip_prefix("times "));
    let times = times.ok_or_else(|| {
        Error::Invalid(format!("Keras: {}", String::from_utf8_lossy(&output.stderr)))
    })?;
    let seconds = times.split_whitespace().filter_map(|word| word.parse().ok());
    Ok(Some(Times::from(seconds.collect::<Vec<f64>>())))
}
