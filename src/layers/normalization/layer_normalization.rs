//! `keras.layers.LayerNormalization`: output = (inputs − mean) / √(variance + epsilon) · gamma + beta,
//! with mean and variance over `axis` of each sample. With `rms_scaling` the mean is not subtracted
//! and there is no beta.
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | gamma | (extents of axis) | scale or rms_scaling |
//! | beta | (extents of axis) | center and not rms_scaling |
//!
//! Output shape = input shape.

use super::affine::{Affine, extents_of, normalized, only_axes, widen};
use crate::base::Result;
use crate::builder;
use crate::layers::config::Config;
use crate::layers::layer::layer_base;
use crate::layers::{Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec};

builder! {
    /// Normalizes each sample by statistics over some of its axes.
    LayerNormalization() {
        axis: (-1),
        epsilon: 0.001,
        center: true,
        scale: true,
        rms_scaling: false,
        beta_initializer: "zeros",
        gamma_initializer: "ones",
        beta_regularizer: null,
        gamma_regularizer: null,
        beta_constraint: null,
        gamma_constraint: null,
    }
}

struct LayerNormalizationLayer {
    base: LayerBase,
    axes: Vec<i64>,
    epsilon: f64,
    rms_scaling: bool,
    affine: Affine,
}

impl LayerNormalization {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let rms_scaling = config.bool("rms_scaling")?;
        let affine = Affine::from_config(config)?;
        let mut base = LayerBase::new("LayerNormalization", config)?;
        base.autocast = false;
        Ok(Box::new(LayerNormalizationLayer {
            base,
            axes: config.ints("axis")?,
            epsilon: config.float("epsilon")?,
            rms_scaling,
            affine: if rms_scaling { affine.scale_only() } else { affine },
        }))
    }
}

impl Layer for LayerNormalizationLayer {
    layer_base!();

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let shape = extents_of(&self.axes, inputs.input_shape()?)?;
        self.affine.build(&mut self.base, &shape)
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let input = args.input()?;
        let x = widen(input);
        let axes = normalized(&self.axes, x.rank())?;
        let (mean, variance) = x.moments(&axes);
        let mean = if self.rms_scaling { mean.like(0.0) } else { mean };
        let shape = only_axes(&x.shape(), &axes);
        let y = self.affine.normalize(cx, x, (mean, variance), self.epsilon, &shape);
        Ok(y.cast(input.dtype()).cast(cx.compute_dtype()).into())
    }
}
