//! `keras.layers.ActivityRegularization`: passes its input on; training adds
//! l1 · Σ|input| + l2 · Σ input² to the loss.
//!
//! Output shape = input shape.

use serde_json::json;

use crate::base::Result;
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::stateless::stateless;
use crate::regularizers;

builder! {
    /// Adds a cost for large activities, in training.
    ActivityRegularization() {
        l1: 0.0,
        l2: 0.0,
    }
}

impl ActivityRegularization {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let (l1, l2) = (config.get("l1").clone(), config.get("l2").clone());
        let mut layer = stateless("ActivityRegularization", config, |_, args| args.input())?;
        let penalty = json!({"class_name": "L1L2", "config": {"l1": l1, "l2": l2}});
        layer.base_mut().rules.activity = regularizers::get(&penalty, config.owner())?;
        Ok(layer)
    }
}
