//! `CustomScaleLayer` of InceptionResNetV2: `a + scale · b`.
//!
//! Inputs a and b of one shape → output of that shape.

use crate::base::{Error, Result};
use crate::layers::Layer;
use crate::layers::config::{Config, Json};
use crate::layers::stateless::stateless;

/// Adds a scaled residual.
pub enum CustomScaleLayer {}

impl CustomScaleLayer {
    pub(crate) fn defaults() -> Json {
        Json::Null
    }

    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let scale = config.float("scale")?;
        stateless("CustomScaleLayer", config, move |_, args| {
            let inputs = args.inputs()?;
            let &[a, b] = inputs.as_slice() else {
                let found = format!("{} inputs", inputs.len());
                return Err(Error::shape("CustomScaleLayer", found, "two inputs"));
            };
            Ok(a + b * b.scalar_like(scale))
        })
    }
}
