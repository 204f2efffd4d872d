//! A convolutional network on 5,000 handwritten digits of MNIST, built, trained and saved in Rust.
//!
//! ```text
//! examples/fetch_mnist.sh
//! cargo run --release --example mnist -- target/mnist_5k.csv.gz
//! ```
//!
//! Every tenth digit is held out; over 97 in 100 of them are read right after some minutes without a
//! GPU. `KERAUNOS_DEVICE` names a device, such as `host`.

use std::fs::File;
use std::io::Read;

use flate2::read::GzDecoder;
use keraunos::callbacks::ProgbarLogger;
use keraunos::layers::{
    Activation, BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D, Rescaling,
};
use keraunos::optimizers::Adam;
use keraunos::optimizers::schedules::CosineDecay;
use keraunos::trainers::{Compile, Data, EvaluateOptions, FitOptions};
use keraunos::{Device, Error, Model, Sequential, Tensor, load_model};

/// Pixels along each side of a digit.
const SIDE: usize = 28;

/// One digit of so many is held out.
const HELD_OUT: usize = 10;

const BATCH: usize = 50;

const EPOCHS: usize = 15;

/// What must be read right of the held-out digits.
const GOAL: f64 = 0.97;

fn main() -> keraunos::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "target/mnist_5k.csv.gz".into());
    let (training, held_out) = read(&path)?;
    let device = Device::default_device()?;
    println!("{} digits to train on, {} held out, on {device}", training.rows()?, held_out.rows()?);

    let mut model = network()?;
    let steps = training.rows()?.div_ceil(BATCH) * EPOCHS;
    let compile = Compile::new(Adam::new().learning_rate(CosineDecay::new(0.002, steps)));
    model.compile(compile.loss("sparse_categorical_crossentropy").metrics(vec!["accuracy"]))?;
    let mut bar = ProgbarLogger::new();
    let mut options =
        FitOptions { batch_size: Some(BATCH), epochs: EPOCHS, ..FitOptions::on(device.clone()) };
    options.callbacks.push(&mut bar);
    let start = std::time::Instant::now();
    model.fit(&training, &mut options)?;
    let seconds = start.elapsed().as_secs_f64();
    println!("{steps} steps in {seconds:.0} s, {:.1} in a second", steps as f64 / seconds);

    let saved = std::path::Path::new("target/mnist.keras");
    model.save(saved)?;
    let logs = load_model(saved)?.evaluate(&held_out, &EvaluateOptions::on(device))?;
    let accuracy = logs.iter().find(|(name, _)| name == "accuracy").map_or(0.0, |(_, a)| a.mean());
    println!(
        "{:.1} % of the held-out digits are read right by {}",
        accuracy * 100.0,
        saved.display()
    );
    match accuracy > GOAL {
        true => Ok(()),
        false => Err(Error::Invalid(format!("expected more than {GOAL}"))),
    }
}

fn network() -> keraunos::Result<Model> {
    Sequential::new([SIDE, SIDE, 1])
        .add(Rescaling::new(1.0 / 255.0))
        .add(Conv2D::new(32, 5).use_bias(false))
        .add(BatchNormalization::new())
        .add(Activation::new("relu"))
        .add(MaxPooling2D::new())
        .add(Conv2D::new(64, 3).use_bias(false))
        .add(BatchNormalization::new())
        .add(Activation::new("relu"))
        .add(MaxPooling2D::new())
        .add(Flatten::new())
        .add(Dropout::new(0.5))
        .add(Dense::new(10).activation("softmax"))
        .build()
}

/// The digits of a file with 784 grey values and the digit in each line.
fn read(path: &str) -> keraunos::Result<(Data, Data)> {
    let mut text = String::new();
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    GzDecoder::new(file).read_to_string(&mut text).map_err(|e| Error::io(path, e))?;
    let [mut training, mut held_out] = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
    for (i, line) in text.lines().enumerate() {
        let numbers: Result<Vec<f32>, _> = line.split(',').map(|n| n.trim().parse()).collect();
        let numbers =
            numbers.map_err(|e| Error::Invalid(format!("{path}, line {}: {e}", i + 1)))?;
        let Some((digit, pixels)) = numbers.split_last().filter(|(_, p)| p.len() == SIDE * SIDE)
        else {
            return Err(Error::Invalid(format!("{path}, line {}: no digit", i + 1)));
        };
        let part = if i % HELD_OUT == 0 { &mut held_out } else { &mut training };
        part.0.extend_from_slice(pixels);
        part.1.push(*digit as i32);
    }
    let data = |(pixels, digits): (Vec<f32>, Vec<i32>)| {
        let x = Tensor::new([digits.len(), SIDE, SIDE, 1], &pixels)?;
        Ok(Data::new(&[x], &[Tensor::new([digits.len()], &digits)?]))
    };
    Ok((data(training)?, data(held_out)?))
}
