//! Rounding to eight-bit floats, as `float8` training sees weights and inputs.

use crate::base::{DType, Result, Shape, Spec};
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::{Context, LayerBase};
use crate::tensor::Variable;

/// The largest number of float8_e4m3fn.
const LARGEST: f64 = 448.0;
/// The smallest normal number of float8_e4m3fn.
const NORMAL: f64 = 0.015_625;
/// The distance of numbers below that.
const STEP: f64 = 1.0 / 512.0;

/// The scales of a layer in `float8` mode, and the maxima from which training makes them: of the
/// inputs, of the kernel and of the outputs' gradient, scale () and history (length) each, float32.
pub struct Float8Scales {
    variables: Vec<Variable>,
}

impl Float8Scales {
    /// Makes the six variables.
    ///
    /// # Errors
    /// If the history is too long.
    pub fn build(base: &mut LayerBase, history: u32) -> Result<Float8Scales> {
        const SCALE: &Initializer = &Initializer::ONES;
        const HISTORY: &Initializer = &Initializer::ZEROS;
        let length = Shape::new([history as usize]);
        let mut variables = Vec::new();
        for (scale, maxima) in [
            ("inputs_scale", "inputs_amax_history"),
            ("kernel_scale", "kernel_amax_history"),
            ("outputs_grad_scale", "outputs_grad_amax_history"),
        ] {
            let spec = Spec::new([], DType::Float32);
            variables.push(base.add_overwritten(scale, spec, SCALE)?);
            let spec = Spec::new(length.clone(), DType::Float32);
            variables.push(base.add_overwritten(maxima, spec, HISTORY)?);
        }
        Ok(Float8Scales { variables })
    }

    /// The inputs as the format holds them.
    pub fn inputs<'g>(&self, cx: &Context<'g>, x: Value<'g>) -> Value<'g> {
        self.rounded(cx, x, 0)
    }

    /// The kernel as the format holds it.
    pub fn kernel<'g>(&self, cx: &Context<'g>, kernel: Value<'g>) -> Value<'g> {
        self.rounded(cx, kernel, 2)
    }

    fn rounded<'g>(&self, cx: &Context<'g>, x: Value<'g>, scale: usize) -> Value<'g> {
        match self.variables.get(scale) {
            Some(scale) => quantize_and_dequantize(x, cx.graph().read(scale)),
            None => x,
        }
    }

    /// The variables in the order of a file.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }
}

/// Keras's `quantize_and_dequantize` for float8_e4m3fn: x / scale, clipped to what the format holds
/// and rounded to it, times scale. The result has the dtype of `x`.
pub fn quantize_and_dequantize<'g>(x: Value<'g>, scale: Value<'g>) -> Value<'g> {
    let scale = scale.cast(x.dtype());
    let scaled = x / scale;
    let clipped = scaled.maximum(scaled.scalar_like(-LARGEST)).minimum(scaled.scalar_like(LARGEST));
    let wide = clipped.cast(DType::Float32);
    let small = (wide / STEP).unary("round") * STEP;
    let rounded = wide.abs().binary("lt", wide.like(NORMAL)).select(small, three_bits(wide));
    // The comparison is false for NaN, whose bits must not be rounded either.
    let rounded = wide.unary("isnan").select(wide, rounded);
    rounded.cast(x.dtype()) * scale
}

/// A normal number with three bits behind its first one, rounded to even.
fn three_bits(x: Value<'_>) -> Value<'_> {
    const DROPPED: f64 = 20.0;
    let bits = x.bitcast(DType::UInt32);
    let dropped = bits.like(DROPPED);
    let odd = bits.binary("shr", dropped).binary("and", bits.like(1.0));
    let half = bits.like(f64::from((1u32 << 19) - 1));
    (bits + half + odd).binary("shr", dropped).binary("shl", dropped).bitcast(DType::Float32)
}
