//! `keras.layers.UnitNormalization`: output = inputs / √(sum of inputs² over axis).
//!
//! Output shape = input shape.

use super::affine::normalized;
use crate::base::Result;
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::stateless::stateless;

builder! {
    /// Scales to unit length over some axes.
    UnitNormalization() {
        axis: (-1),
    }
}

/// The shortest length that is scaled to one, as in Keras.
const MIN_LENGTH: f64 = 1e-12;

impl UnitNormalization {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let axes = config.ints("axis")?;
        stateless("UnitNormalization", config, move |_, args| {
            let x = args.input()?;
            let axes = normalized(&axes, x.rank())?;
            let inverse = x.square().sum(&axes).keep_axes(&x.shape(), &axes).rsqrt();
            Ok(x * inverse.minimum(inverse.scalar_like(1.0 / MIN_LENGTH)))
        })
    }
}
