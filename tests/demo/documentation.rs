//! The example of the Keras documentation for saving whole models, in Rust:
//! `cargo run --example documentation`.

use std::hash::{BuildHasher, RandomState};

use keraunos::layers::{Dense, Softmax};
use keraunos::{Device, Error, PredictOptions, Sequential, Tensor, load_model};

fn main() -> keraunos::Result<()> {
    let model = Sequential::new([3]).add(Dense::new(5)).add(Softmax::new()).build()?;
    let folder = tempfile::tempdir().map_err(|e| Error::io(std::env::temp_dir(), e))?;
    let path = folder.path().join("model.keras");
    model.save(&path)?;
    let loaded = load_model(&path)?;

    let device = Device::default_device()?;
    let x = random([10, 3])?;
    let expected =
        model.predict_with(std::slice::from_ref(&x), &mut PredictOptions::on(device.clone()))?;
    let found =
        loaded.predict_with(std::slice::from_ref(&x), &mut PredictOptions::on(device.clone()))?;
    assert!(all_close(&expected[0], &found[0]), "the loaded model predicts something else");

    println!("\nSequential([Dense(5) on (3,), Softmax()]): built, saved, loaded; on {device} both");
    println!(
        "predict the same for 10 random rows, such as {:.3?}",
        &found[0].to_vec::<f32>()?[..5]
    );
    Ok(())
}

/// `numpy.random.random`: numbers from 0 to 1.
fn random(shape: [usize; 2]) -> keraunos::Result<Tensor> {
    let random = RandomState::new();
    let unit = |i: usize| (random.hash_one(i) as f64 / u64::MAX as f64) as f32;
    Tensor::new(shape, &(0..shape[0] * shape[1]).map(unit).collect::<Vec<f32>>())
}

/// `numpy.allclose` with its own tolerances.
fn all_close(found: &Tensor, expected: &Tensor) -> bool {
    let close = |(f, e): (f64, f64)| (f - e).abs() <= 1e-8 + 1e-5 * e.abs();
    found.spec() == expected.spec() && found.iter_f64().zip(expected.iter_f64()).all(close)
}
