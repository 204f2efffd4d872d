//! The two layers that `keras.utils.FeatureSpace` puts into the model of its encoded features.

use crate::base::{Error, Result};
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::stateless::stateless;

builder! {
    /// Joins encoded features along an axis.
    TFDConcat(axis) {}
}

builder! {
    /// Passes a feature on.
    TFDIdentity() {}
}

impl TFDConcat {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let axis = config.int("axis")?;
        stateless("TFDConcat", config, move |cx, args| {
            let features = args.inputs()?;
            let none = || Error::shape("concatenate", "no features", "at least one");
            let axis = features.first().ok_or_else(none)?.shape().axis(axis)?;
            let features: Vec<_> = features.iter().map(|f| f.cast(cx.compute_dtype())).collect();
            Ok(cx.graph().concat(&features, axis))
        })
    }
}

impl TFDIdentity {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        stateless("TFDIdentity", config, |_, args| args.input())
    }
}
