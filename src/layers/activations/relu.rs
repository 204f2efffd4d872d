//! `keras.layers.ReLU`: x from threshold to max_value, max_value above, and
//! negative_slope · (x − threshold) below.
//!
//! Output shape = input shape.

use crate::activations;
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
        if self.max_value.is_none() && self.threshold == 0.0 && self.negative_slope != 0.0 {
            return activations::leaky_relu(x, self.negative_slope);
        }
        let above = self.positive_part(x);
        match self.negative_slope {
            0.0 => above,
            slope => above - activations::relu(-x + self.threshold) * slope,
        }
    }

    /// What of `x` is above the threshold, up to the upper bound: of the functions by which Keras has
    /// it, so that slopes at the bounds are Keras's, and what becomes of NaN.
    fn positive_part(self, x: Value<'_>) -> Value<'_> {
        let positive = match (self.threshold, self.max_value) {
            (0.0, Some(6.0)) => return activations::relu6(x),
            (0.0, _) => activations::relu(x),
            (t, _) => x.binary("gt", x.like(t)).select(x, x.like(0.0)),
        };
        self.max_value.map_or(positive, |max| activations::clip(positive, 0.0, max))
    }
}
