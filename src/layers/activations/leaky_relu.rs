//! `keras.layers.LeakyReLU`: x where positive, else negative_slope · x.
//!
//! Output shape = input shape.

use crate::activations::leaky_relu;
use crate::base::Result;
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::stateless::stateless;

builder! {
    /// Rectifier with a slope below zero.
    LeakyReLU() {
        negative_slope: 0.3,
    }
}

impl LeakyReLU {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        // Files of older versions call it `alpha`.
        let key = if config.is_null("alpha") { "negative_slope" } else { "alpha" };
        let slope = config.float(key)?;
        if slope < 0.0 {
            return Err(config.bad(key, "a number that is not negative"));
        }
        stateless("LeakyReLU", config, move |_, args| Ok(leaky_relu(args.input()?, slope)))
    }
}
