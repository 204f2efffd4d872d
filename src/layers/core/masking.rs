//! `keras.layers.Masking`: zeros where every feature of a step equals `mask_value`. A file holds the
//! mask itself as a value of its own.
//!
//! Input (batch, steps, features) → output of the same shape.

use crate::base::{DType, Error, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::layers::layer::layer_base;
use crate::layers::{Args, Context, Layer, LayerBase, Outputs};

builder! {
    /// Takes steps out of a sequence.
    Masking() {
        mask_value: 0.0,
    }
}

struct MaskingLayer {
    base: LayerBase,
    mask_value: f64,
}

impl Masking {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let base = LayerBase::new("Masking", config)?;
        Ok(Box::new(MaskingLayer { base, mask_value: config.float("mask_value")? }))
    }
}

impl MaskingLayer {
    /// Steps of `x` in which a feature differs from the mask value, without the axis of features.
    fn kept<'g>(&self, x: Value<'g>) -> Result<Value<'g>> {
        let Some(last) = x.rank().checked_sub(1) else {
            return Err(Error::shape("masking", "a scalar", "an axis of features"));
        };
        // Whole numbers are compared with a mask value that may have a fraction.
        let compared = if x.dtype().is_float() { x } else { x.cast(DType::Float32) };
        Ok(compared.binary("ne", compared.like(self.mask_value)).max(&[last]))
    }
}

impl Layer for MaskingLayer {
    layer_base!();

    fn call<'g>(&self, _: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let x = args.input()?;
        // Beside Keras's whole zero, booleans become numbers.
        let x = if x.dtype() == DType::Bool { x.cast(DType::Int32) } else { x };
        let kept = self.kept(x)?.keep_axes(&x.shape(), &[x.rank().saturating_sub(1)]);
        Ok(kept.select(x, x.like(0.0)).into())
    }

    fn output_mask<'g>(
        &self,
        _: &Context<'g>,
        args: &Args<'g>,
        _: &[Option<Value<'g>>],
    ) -> Result<Option<Value<'g>>> {
        self.kept(args.input()?).map(Some)
    }
}
