//! Formulas that losses, metrics, regularizers and constraints share.

use crate::base::DType;
use crate::graph::Value;

/// The small number that keeps divisors and logarithms away from zero: `keras.config.epsilon()`.
pub(crate) const EPSILON: f64 = 1e-7;

/// The value as a float: whole numbers become float32.
pub(crate) fn float(x: Value<'_>) -> Value<'_> {
    if x.dtype().is_float() { x } else { x.cast(DType::Float32) }
}

/// The axis that an argument names; the graph remembers one that is not there.
pub(crate) fn axis_of(x: Value<'_>, axis: i64) -> Option<usize> {
    match x.shape().axis(axis) {
        Ok(axis) => Some(axis),
        Err(error) => {
            x.graph().fail(error);
            None
        }
    }
}

/// Mean over axes, summed in at least 32 bits; the dtype stays.
pub(crate) fn mean<'g>(x: Value<'g>, axes: &[usize]) -> Value<'g> {
    if x.dtype() == DType::Float64 {
        x.mean(axes)
    } else {
        x.cast(DType::Float32).mean(axes).cast(x.dtype())
    }
}

/// Mean over one axis, counted from the back when negative.
pub(crate) fn mean_axis(x: Value<'_>, axis: i64) -> Value<'_> {
    axis_of(x, axis).map_or(x, |axis| mean(x, &[axis]))
}

/// Sum over one axis, counted from the back when negative.
pub(crate) fn sum_axis(x: Value<'_>, axis: i64) -> Value<'_> {
    axis_of(x, axis).map_or(x, |axis| x.sum(&[axis]))
}

/// `x` divided by its length along an axis, as `keras.ops.normalize` does.
pub(crate) fn normalize(x: Value<'_>, axis: i64) -> Value<'_> {
    let Some(axis) = axis_of(x, axis) else { return x };
    let inverse = x.square().sum(&[axis]).keep_axes(&x.shape(), &[axis]).rsqrt();
    x * inverse.minimum(inverse.scalar_like(1.0 / EPSILON))
}

/// `a / b`, and 0 where `b` is 0.
pub(crate) fn divide_no_nan<'g>(a: Value<'g>, b: Value<'g>) -> Value<'g> {
    let zero = b.binary("eq", b.scalar_like(0.0));
    // The denominator is made safe as well, so that no gradient comes from the branch not taken.
    zero.select(a.scalar_like(0.0), a / zero.select(b.scalar_like(1.0), b))
}

/// Sum over all axes.
pub(crate) fn sum_all(x: Value<'_>) -> Value<'_> {
    x.sum(&(0..x.rank()).collect::<Vec<_>>())
}
