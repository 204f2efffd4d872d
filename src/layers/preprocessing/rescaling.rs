//! `keras.layers.Rescaling`: output = inputs · scale + offset.
//!
//! Scale and offset are numbers, or lists that broadcast to the input. Output shape = input shape.

use crate::base::Result;
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::numbers::numbers;
use crate::layers::stateless::stateless;

builder! {
    /// Multiplies and adds.
    Rescaling(scale) {
        offset: 0.0,
    }
}

impl Rescaling {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let (scale, offset) = (numbers(config, "scale")?, numbers(config, "offset")?);
        stateless("Rescaling", config, move |cx, args| {
            let constant = |t| cx.graph().constant(t).cast(cx.compute_dtype());
            let x = args.input()?.cast(cx.compute_dtype());
            Ok(x * constant(scale.clone()) + constant(offset.clone()))
        })
    }
}
