//! `StochasticDepth` of ConvNeXt (Huang et al. 2016): drops whole samples of a residual branch while
//! training, and passes its input on unchanged in inference.
//!
//! Output shape = input shape.

use crate::base::{Error, Result};
use crate::layers::Layer;
use crate::layers::config::{Config, Json};
use crate::layers::stateless::stateless;

/// Drops residual branches, in training.
pub enum StochasticDepth {}

impl StochasticDepth {
    pub(crate) fn defaults() -> Json {
        Json::Null
    }

    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let rate = config.float("drop_path_rate")?;
        if !(0.0..1.0).contains(&rate) {
            return Err(config.bad("drop_path_rate", "a number from 0 to below 1"));
        }
        stateless("StochasticDepth", config, move |cx, args| {
            if cx.training() && rate > 0.0 {
                return Err(Error::Unsupported("training with StochasticDepth".into()));
            }
            args.input()
        })
    }
}
