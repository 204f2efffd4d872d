//! `keras.layers.ELU`: x where positive, else alpha · (exp(x) − 1).
//!
//! Output shape = input shape.

use crate::activations::elu;
use crate::base::Result;
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::stateless::stateless;

builder! {
    /// Exponential linear unit.
    ELU() {
        alpha: 1.0,
    }
}

impl ELU {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let alpha = config.float("alpha")?;
        stateless("ELU", config, move |_, args| Ok(elu(args.input()?, alpha)))
    }
}
