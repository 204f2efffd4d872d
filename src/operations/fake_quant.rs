//! `keras.quantizers.fake_quant_with_min_max_vars`: numbers as they come back from a quantization.

use crate::base::{DType, Result};
use crate::graph::Value;
use crate::operations::call::Call;
use crate::operations::operations;

operations! {
    /// Quantizations whose result is a float.
    FAKE_QUANT:
    FakeQuantWithMinMaxVars(inputs, min_vals, max_vals) {
        num_bits: 8, narrow_range: false, axis: null
    } |c| fake_quant(c);
}

/// Bits that an integer which stands for a float may have.
const BITS: std::ops::RangeInclusive<usize> = 1..=24;

fn fake_quant<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let bits = c.config.size("num_bits")?;
    if !BITS.contains(&bits) {
        return Err(c.config.bad("num_bits", "an integer from 1 to 24"));
    }
    let lowest = if c.config.bool("narrow_range")? { 1.0 } else { 0.0 };
    let highest = ((1_u32 << bits) - 1) as f64;
    // Keras takes note of the axis for the gradient alone, which follows the shapes here.
    c.config.get("axis");
    let inputs = c.value(0)?;
    let x = inputs.cast(DType::Float32);
    let [low, high] = [c.value(1)?, c.value(2)?].map(|v| v.cast(DType::Float32));
    // The range moves so that zero is one of its steps.
    let range = high - low;
    // JAX on a processor divides a number, and multiplies several by the inverse; a zero in the middle
    // of two steps is rounded by this.
    let scale = match range.rank() {
        0 => range / (highest - lowest),
        _ => range * f64::from(1.0 / (highest - lowest) as f32),
    };
    let inverse = range.like(highest - lowest) / range;
    let zero = (low / scale) * -1.0 + lowest;
    let zero = zero.maximum(zero.like(lowest)).minimum(zero.like(highest)).unary("round");
    let [from, to] = [lowest, highest].map(|end| ((zero * -1.0 + end) * scale).stop_gradient());
    let steps = (from * -1.0 * inverse + 0.5).unary("floor");
    let inside = x.maximum(from).minimum(to);
    let nearest = ((inside - from) * inverse - steps + 0.5).unary("floor") * scale;
    let nearest = nearest.stop_gradient();
    // What passes gradients on: elements inside of the range, else the end that they were cut to.
    let passed = |condition: Value<'g>, value: Value<'g>| {
        let value = value + x.like(0.0);
        condition.select(value, value.like(0.0))
    };
    let (above, below) = (x.binary("ge", from), x.binary("le", to));
    let slope = passed(above.binary("and", below), x)
        + passed(x.binary("le", from), low)
        + passed(x.binary("ge", to), high);
    Ok((nearest + (slope - slope.stop_gradient())).cast(inputs.dtype()))
}
