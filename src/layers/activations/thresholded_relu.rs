//! `keras._legacy.layers.ThresholdedReLU`: x where it is more than theta, else 0.
//!
//! Output shape = input shape.

use crate::base::Result;
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::stateless::stateless;

builder! {
    /// Rectifier with a threshold.
    ThresholdedReLU() {
        theta: 1.0,
    }
}

impl ThresholdedReLU {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let theta = config.float("theta")?;
        if theta < 0.0 {
            return Err(config.bad("theta", "a number that is not negative"));
        }
        stateless("ThresholdedReLU", config, move |_, args| {
            let x = args.input()?;
            Ok(x * x.binary("gt", x.scalar_like(theta)).cast(x.dtype()))
        })
    }
}
