//! `keras.layers.ActivityRegularization`: passes its input on; training adds
//! l1 · Σ|input| + l2 · Σ input² to the loss.
//!
//! Output shape = input shape.

use crate::base::Result;
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::settings::training_only;
use crate::layers::stateless::stateless;

builder! {
    /// Adds a cost for large activities, in training.
    ActivityRegularization() {
        l1: 0.0,
        l2: 0.0,
    }
}

impl ActivityRegularization {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        config.float("l1")?;
        config.float("l2")?;
        training_only(config, &["activity_regularizer"])?;
        stateless("ActivityRegularization", config, |_, args| args.input())
    }
}
