//! `keras.layers.Masking`: zeros where every feature of a step equals `mask_value`. A file holds the
//! mask itself as a value of its own.
//!
//! Input (batch, steps, features) → output of the same shape.

use crate::base::{Error, Result};
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::stateless::stateless;

builder! {
    /// Takes steps out of a sequence.
    Masking() {
        mask_value: 0.0,
    }
}

impl Masking {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let mask_value = config.float("mask_value")?;
        stateless("Masking", config, move |_, args| {
            let x = args.input()?;
            let shape = x.shape();
            let Some(last) = shape.rank().checked_sub(1) else {
                return Err(Error::shape("masking", "a scalar", "an axis of features"));
            };
            let differs = x.binary("ne", x.like(mask_value));
            let kept = differs.max(&[last]).keep_axes(&shape, &[last]);
            Ok(kept.select(x, x.like(0.0)))
        })
    }
}
