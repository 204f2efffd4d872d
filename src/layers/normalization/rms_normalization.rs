//! `keras.layers.RMSNormalization`: output = inputs / √(mean of inputs² over axis + epsilon) · scale.
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | 0 scale | (extents of axis) | always |
//!
//! Output shape = input shape.

use super::affine::{extents_of, normalized, widen};
use crate::base::Result;
use crate::builder;
use crate::initializers::Initializer;
use crate::layers::config::Config;
use crate::layers::layer::layer_base;
use crate::layers::{Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec};
use crate::tensor::Variable;

builder! {
    /// Divides by the root of the mean square over some axes.
    RMSNormalization() {
        axis: (-1),
        epsilon: 1e-6,
    }
}

struct RMSNormalizationLayer {
    base: LayerBase,
    axes: Vec<i64>,
    epsilon: f64,
    scale: Option<Variable>,
}

impl RMSNormalization {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        Ok(Box::new(RMSNormalizationLayer {
            base: LayerBase::new("RMSNormalization", config)?,
            axes: config.ints("axis")?,
            epsilon: config.float("epsilon")?,
            scale: None,
        }))
    }
}

impl Layer for RMSNormalizationLayer {
    layer_base!();

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let extents = extents_of(&self.axes, inputs.input_shape()?)?;
        self.scale = Some(self.base.add_weight("scale", extents, &Initializer::ONES)?);
        Ok(())
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let input = args.input()?;
        let x = widen(input);
        let axes = normalized(&self.axes, x.rank())?;
        let square = x.square().mean(&axes).keep_axes(&x.shape(), &axes);
        // As in Keras, the scale is not moved to the axes: it broadcasts from the last one.
        let scale = cx.weight(&self.scale, "scale")?.cast(x.dtype());
        Ok((x * (square + self.epsilon).rsqrt() * scale).cast(input.dtype()).into())
    }
}
