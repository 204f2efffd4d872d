//! `keras.layers.Concatenate`: inputs joined along one axis; all other extents agree.

use crate::base::{Error, Result};
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::stateless::stateless;

builder! {
    /// Joins a list of inputs along one axis.
    Concatenate() {
        axis: (-1),
    }
}

impl Concatenate {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let axis = config.int("axis")?;
        stateless("Concatenate", config, move |cx, args| {
            let inputs = args.inputs()?;
            let none = || Error::shape("concatenate", "no inputs", "at least one");
            let axis = inputs.first().ok_or_else(none)?.shape().axis(axis)?;
            Ok(cx.graph().concat(&inputs, axis))
        })
    }
}
