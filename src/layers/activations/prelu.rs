//! `keras.layers.PReLU`: x where positive, else alpha · x, with a learned alpha.
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | 0 alpha | input shape without the batch, 1 along shared_axes | always |
//!
//! Output shape = input shape.

use crate::activations::relu;
use crate::base::{Error, Result};
use crate::builder;
use crate::initializers::Initializer;
use crate::layers::config::Config;
use crate::layers::layer::layer_base;
use crate::layers::{Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec};
use crate::tensor::Variable;

builder! {
    /// Rectifier with learned slopes below zero.
    PReLU() {
        alpha_initializer: "Zeros",
        alpha_regularizer: null,
        alpha_constraint: null,
        shared_axes: null,
    }
}

struct PReLULayer {
    base: LayerBase,
    initializer: Initializer,
    /// Axes, counted with the batch, along which alpha is one number.
    shared_axes: Vec<i64>,
    alpha: Option<Variable>,
}

impl PReLU {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let shared =
            if config.is_null("shared_axes") { vec![] } else { config.ints("shared_axes")? };
        Ok(Box::new(PReLULayer {
            base: LayerBase::new("PReLU", config)?,
            initializer: Initializer::from_config(config, "alpha_initializer")?,
            shared_axes: shared,
            alpha: None,
        }))
    }
}

impl Layer for PReLULayer {
    layer_base!();

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let shape = inputs.input_shape()?;
        let shared: Vec<usize> = self
            .shared_axes
            .iter()
            .map(|&axis| crate::base::shape::normalize_axis(axis, shape.rank()))
            .collect::<Result<_>>()?;
        if shared.contains(&0) || shape.rank() == 0 {
            let found = format!("axes {:?} of {shape}", self.shared_axes);
            return Err(Error::shape("shared_axes", found, "axes behind the batch"));
        }
        let extent = |axis: usize| match shared.contains(&axis) {
            true => Ok(1),
            false => shape.known(axis as i64),
        };
        let extents: Vec<usize> = (1..shape.rank()).map(extent).collect::<Result<_>>()?;
        self.alpha = Some(self.base.add_weight("alpha", extents, &self.initializer)?);
        Ok(())
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let x = args.input()?;
        let alpha = cx.weight(&self.alpha, "alpha")?;
        if x.dtype().is_int() {
            // Keras's `relu` and minus keep whole numbers whole.
            let (above, below) = (relu(x).cast(alpha.dtype()), relu(-x).cast(alpha.dtype()));
            return Ok((above - alpha * below).into());
        }
        Ok((relu(x) - alpha * relu(-x)).into())
    }
}
