//! `keras.layers.Identity`: passes its input on.

use crate::base::Result;
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::stateless::stateless;

builder! {
    /// Passes its input on.
    Identity() {}
}

impl Identity {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        stateless("Identity", config, |_, args| args.input())
    }
}
