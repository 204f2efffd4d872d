//! `keras.layers.Dropout` and the other layers that disturb their input at random while training,
//! and pass it on unchanged in inference.
//!
//! Output shape = input shape.

use crate::base::{Error, Result};
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::{Config, Json};
use crate::layers::spatial::DataFormat;
use crate::layers::stateless::stateless;

macro_rules! noise {
    ($($(#[$doc:meta])* $name:ident ($($required:ident)?) { $($key:ident : $default:tt),* };)*) => { $(
        builder! {
            $(#[$doc])*
            $name($($required)?) { $($key: $default),* }
        }

        impl $name {
            pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
                noise(stringify!($name), config)
            }
        }
    )* };
}

noise! {
    /// Sets a share of the inputs to zero, in training.
    Dropout(rate) { seed: null, noise_shape: null };
    /// Sets a share of the channels to zero, in training.
    SpatialDropout1D(rate) { seed: null };
    /// Sets a share of the channels to zero, in training.
    SpatialDropout2D(rate) { seed: null, data_format: null };
    /// Sets a share of the channels to zero, in training.
    SpatialDropout3D(rate) { seed: null, data_format: null };
    /// Keeps mean and variance of self-normalizing inputs while dropping some, in training.
    AlphaDropout(rate) { seed: null, noise_shape: null };
    /// Multiplies by normal noise around 1, in training.
    GaussianDropout(rate) { seed: null };
    /// Adds normal noise, in training.
    GaussianNoise(stddev) { seed: null };
}

fn noise(class_name: &'static str, config: &Config) -> Result<Box<dyn Layer>> {
    let key = if class_name == "GaussianNoise" { "stddev" } else { "rate" };
    let strength = config.float(key)?;
    if !(0.0..=1.0).contains(&strength) {
        return Err(config.bad(key, "a number from 0 to 1"));
    }
    DataFormat::from_config(config)?;
    take_random_settings(config)?;
    stateless(class_name, config, move |cx, args| {
        if cx.training() && strength > 0.0 {
            return Err(Error::Unsupported(format!("training with {class_name}")));
        }
        args.input()
    })
}

/// Takes the seed, which is null, a number or a seed generator's record, and the shape of the noise.
fn take_random_settings(config: &Config) -> Result<()> {
    match config.get("seed") {
        Json::Null | Json::Number(_) | Json::Object(_) => {}
        _ => return Err(config.bad("seed", "an integer or null")),
    }
    match config.get("noise_shape") {
        Json::Null | Json::Array(_) => Ok(()),
        _ => Err(config.bad("noise_shape", "a list or null")),
    }
}
