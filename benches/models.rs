//! Predictions per second of whole networks.
//!
//! ```text
//! cargo bench --bench models -- --device host --device software --batch 1 --network resnet50
//! ```
//!
//! `tests/keras/make_applications.py` writes the networks; `make test` runs it. With
//! `KERAUNOS_PYTHON` naming a Python that has Keras and JAX, the same file and batch run there too,
//! through `predict_on_batch`, and each line ends with the ratio to that.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::{Options, Times, describe};
use keraunos::base::{Error, Result};
use keraunos::models::PredictOptions;
use keraunos::{Device, Tensor, load_model};

/// Time for each line, and for Keras.
const SPAN: Duration = Duration::from_secs(5);

const KERAS: &str = "
import os, sys, time
os.environ['KERAS_BACKEND'] = 'jax'
os.environ['JAX_PLATFORMS'] = 'cpu'
import keras, numpy
model = keras.models.load_model(sys.argv[1])
x = (numpy.arange(int(sys.argv[2]) * 224 * 224 * 3) % 255 / 255).astype('float32')
x = x.reshape(-1, 224, 224, 3)
model.predict_on_batch(x)
model.predict_on_batch(x)
times = []
begin = time.perf_counter()
while len(times) < 5 or time.perf_counter() - begin < float(sys.argv[3]):
    start = time.perf_counter()
    model.predict_on_batch(x)
    times.append(time.perf_counter() - start)
print('times', *times)
";

fn main() -> Result<()> {
    let options = Options::from_command_line();
    options.heading("models", "predictions of whole networks, inputs and outputs on the host");
    let devices = options.devices()?;
    for network in options.or("network", &["mobilenet_v2", "resnet50"]) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("target/keras/{network}_probabilities.keras"));
        if !path.exists() {
            let path = path.display();
            println!("{network}: {path} is missing; `make test` writes it");
            continue;
        }
        for batch in options.numbers("batch", &[1, 8])? {
            let keras = keras(&path, batch)?;
            if let Some(times) = &keras {
                line(network, batch, "Keras on JAX, processor", times, None);
            }
            for device in &devices {
                let times = predict(&path, batch, device)?;
                line(network, batch, &describe(device), &times, keras.as_ref());
            }
        }
    }
    Ok(())
}

fn line(network: &str, batch: usize, device: &str, times: &Times, keras: Option<&Times>) {
    let rate = batch as f64 / times.median();
    let ratio =
        keras.map_or(String::new(), |k| format!(", {:.2} of Keras", k.median() / times.median()));
    println!("{network} batch {batch}: {rate:>8.2}/s{ratio}  {times}  {device}");
}

fn predict(path: &PathBuf, batch: usize, device: &Device) -> Result<Times> {
    let model = load_model(path)?;
    let len = batch * 224 * 224 * 3;
    let x: Vec<f32> = (0..len).map(|i| (i % 255) as f32 / 255.0).collect();
    let x = [Tensor::new([batch, 224, 224, 3], &x)?];
    Times::of(SPAN, || {
        let mut options = PredictOptions::on(device.clone());
        model.predict_with(&x, &mut options).map(|_| ())
    })
}

/// The same batch through Keras, where there is one.
fn keras(path: &Path, batch: usize) -> Result<Option<Times>> {
    let Some(python) = std::env::var_os("KERAUNOS_PYTHON").filter(|p| p != "none") else {
        return Ok(None);
    };
    let output = Command::new(&python)
        .args(["-c", KERAS])
        .arg(path)
        .args([batch.to_string(), SPAN.as_secs().to_string()])
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
