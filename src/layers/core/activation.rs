//! `keras.layers.Activation`: a function applied to every element.

use crate::activations;
use crate::base::Result;
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::stateless::stateless;

builder! {
    /// Applies an activation function, by its Keras name.
    Activation(activation) {}
}

impl Activation {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let activation = activations::Activation::from_config(config, "activation")?;
        stateless("Activation", config, move |_, args| Ok(activation.apply(args.input()?)))
    }
}
