//! `keras.layers.Activation`: a function applied to every element.

use crate::activations;
use crate::base::Result;
use crate::builder;
use crate::layers::config::Config;
use crate::layers::{Args, Context, Layer, LayerBase, Outputs};

builder! {
    /// Applies an activation function, by its Keras name.
    Activation(activation) {}
}

struct ActivationLayer {
    base: LayerBase,
    activation: activations::Activation,
}

impl Activation {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        Ok(Box::new(ActivationLayer {
            base: LayerBase::new("Activation", config)?,
            activation: activations::Activation::from_config(config, "activation")?,
        }))
    }
}

impl Layer for ActivationLayer {
    fn base(&self) -> &LayerBase {
        &self.base
    }

    fn base_mut(&mut self) -> &mut LayerBase {
        &mut self.base
    }

    fn call<'g>(&self, _: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        Ok(self.activation.apply(args.input()?).into())
    }
}
