//! Sparsemax.

use crate::graph::Value;
use crate::operations::reductions::running_along;

/// The nearest distribution (Martins and Astudillo 2016): scores less a threshold that leaves a sum of
/// one.
pub fn sparsemax(x: Value<'_>, axis: usize) -> Value<'_> {
    let shape = x.shape();
    let high = x.take_along(x.argsort(axis, true), axis);
    let sums = running_along(high, axis, 0.0, |a, b| a + b);
    let rank = x.graph().iota(shape.clone(), axis).cast(x.dtype()) + 1.0;
    let support = (high - (sums - 1.0) / rank).binary("gt", x.like(0.0));
    let count = support.cast(x.dtype()).sum(&[axis]);
    // As Keras sums it: the running sums of all that is supported.
    let total = support.select(sums, x.like(0.0)).sum(&[axis]);
    let threshold = ((total - 1.0) / count).keep_axes(&shape, &[axis]);
    (x - threshold).maximum(x.like(0.0))
}
