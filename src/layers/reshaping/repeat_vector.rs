//! `keras.layers.RepeatVector`: the input `n` times along a new axis.
//!
//! Input (batch, features) → output (batch, n, features).

use crate::base::{Error, Result};
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::stateless::stateless;

builder! {
    /// Repeats vectors along a new axis.
    RepeatVector(n) {}
}

impl RepeatVector {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let n = config.size("n")?;
        stateless("RepeatVector", config, move |_, args| {
            let x = args.input()?;
            let &[batch, features] = x.shape().as_slice() else {
                let found = x.shape().to_string();
                return Err(Error::shape("repeat vector", found, "(batch, features)"));
            };
            Ok(x.reshape([batch, 1, features]).broadcast([batch, n, features]))
        })
    }
}
