//! `keras.layers.ReLU`: x from threshold to max_value, max_value above, and
//! negative_slope · (x − threshold) below.
//!
//! Output shape = input shape.

use crate::base::Result;
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::stateless::stateless;

builder! {
    /// Rectifier with a threshold, an upper bound and a slope below the threshold.
    ReLU() {
        max_value: null,
        negative_slope: 0.0,
        threshold: 0.0,
    }
}

/// The settings of a rectifier.
#[derive(Clone, Copy)]
pub(crate) struct Rectifier {
    max_value: Option<f64>,
    negative_slope: f64,
    threshold: f64,
}

impl ReLU {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let rectifier = Rectifier::from_config(config)?;
        stateless("ReLU", config, move |_, args| Ok(rectifier.apply(args.input()?)))
    }
}

impl Rectifier {
    pub fn from_config(config: &Config) -> Result<Rectifier> {
        let rectifier = Rectifier {
            max_value: config.optional_float("max_value")?,
            negative_slope: config.float("negative_slope")?,
            threshold: config.float("threshold")?,
        };
        for key in ["max_value", "negative_slope", "threshold"] {
            if config.optional_float(key)?.is_some_and(|value| value < 0.0) {
                return Err(config.bad(key, "a number that is not negative"));
            }
        }
        Ok(rectifier)
    }

    pub fn apply(self, x: Value<'_>) -> Value<'_> {
        let above = self.max_value.map_or(x, |max| x.minimum(x.scalar_like(max)));
        let below = match self.negative_slope {
            0.0 => x.like(0.0),
            slope => (x - self.threshold) * slope,
        };
        let threshold = x.like(self.threshold);
        // At the threshold itself both branches are zero unless it is raised; NaN stays.
        let test = if self.threshold == 0.0 { "lt" } else { "le" };
        x.binary(test, threshold).select(below, above)
    }
}
