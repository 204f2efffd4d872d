//! A recurrent network that foresees the sunspots of the next year, from `examples/sunspots.csv`:
//! `cargo run --release --example series`.
//!
//! The yearly numbers of 1700 to 2008 (Royal Observatory of Belgium) are in the public domain; the
//! file is that of the Python package statsmodels. The last 60 years are held out. The network's error
//! there must be smaller than that of two plain rules: next year is like this one, and next year goes
//! on as the last two went.

use keraunos::callbacks::{EarlyStopping, ProgbarLogger};
use keraunos::layers::{Dense, GRU};
use keraunos::optimizers::Adam;
use keraunos::trainers::{Compile, Data, FitOptions};
use keraunos::{Device, Error, PredictOptions, Sequential, Tensor};

const SERIES: &str = include_str!("sunspots.csv");

/// Years that the network sees.
const WINDOW: usize = 22;

/// Years held out.
const HELD_OUT: usize = 60;

/// What sunspots are divided by.
const SCALE: f32 = 100.0;

fn main() -> keraunos::Result<()> {
    let series = series()?;
    let (x, y) = windows(&series)?;
    let train = y.shape()[0] - HELD_OUT;
    let data = Data::new(&[x.rows(0, train)?], &[y.rows(0, train)?]);
    let device = Device::default_device()?;

    let mut model = Sequential::new([WINDOW, 1])
        .add(GRU::new(24).recurrent_initializer("glorot_uniform"))
        .add(Dense::new(1))
        .build()?;
    model.compile(Compile::new(Adam::new().learning_rate(0.005)).loss("mse"))?;
    let mut bar = ProgbarLogger::new();
    let mut stop = EarlyStopping::new().patience(25_usize).restore_best_weights(true);
    let mut options = FitOptions {
        batch_size: Some(16),
        epochs: 150,
        validation_split: 0.15,
        ..FitOptions::on(device.clone())
    };
    options.callbacks.push(&mut stop);
    options.callbacks.push(&mut bar);
    let history = model.fit(&data, &mut options)?;

    let inputs = x.rows(train, HELD_OUT)?;
    let mut predict = PredictOptions::on(device.clone());
    let found: Vec<f32> = model.predict_with(&[inputs], &mut predict)?[0].to_vec()?;
    let start = series.len() - HELD_OUT;
    let network = error(&series, |i| found[i - start]);
    let same = error(&series, |i| series[i - 1]);
    let straight = error(&series, |i| 2.0 * series[i - 1] - series[i - 2]);
    println!("{} epochs on {device}; error of the {HELD_OUT} years held out:", history.epoch.len());
    println!("  network      {network:5.1} sunspots");
    println!("  as this year {same:5.1}");
    println!("  straight on  {straight:5.1}");
    match network < same.min(straight) {
        true => Ok(()),
        false => Err(Error::Invalid("the network is no better than a plain rule".into())),
    }
}

/// The numbers of all years, scaled.
fn series() -> keraunos::Result<Vec<f32>> {
    let value = |line: &str| line.split(',').nth(1)?.trim().parse::<f32>().ok();
    let bad = |line: &str| Error::Invalid(format!("sunspots.csv: no number in '{line}'"));
    let lines = SERIES.lines().skip(1);
    lines.map(|line| value(line).map(|v| v / SCALE).ok_or_else(|| bad(line))).collect()
}

/// Each stretch of years, and the year behind it.
fn windows(series: &[f32]) -> keraunos::Result<(Tensor, Tensor)> {
    let count = series.len() - WINDOW;
    let years: Vec<f32> = series.windows(WINDOW).take(count).flatten().copied().collect();
    Ok((Tensor::new([count, WINDOW, 1], &years)?, Tensor::new([count, 1], &series[WINDOW..])?))
}

/// The root of the mean squared error of the held-out years, in sunspots.
fn error(series: &[f32], forecast: impl Fn(usize) -> f32) -> f32 {
    let held_out = series.len() - HELD_OUT..series.len();
    let squares: f32 = held_out.map(|i| (forecast(i) - series[i]).powi(2)).sum();
    (squares / HELD_OUT as f32).sqrt() * SCALE
}
