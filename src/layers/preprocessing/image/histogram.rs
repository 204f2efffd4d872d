//! Histograms of colours.

use crate::base::DType;
use crate::graph::Value;

/// How often each integer from 0 to `bins` − 1 stands in every row of `x` (rows, n), as float32
/// (rows, bins); others count as the nearest of these.
pub(super) fn counts(x: Value<'_>, bins: usize) -> Value<'_> {
    let (rows, n) = (x.extent(0), x.extent(1));
    let last = x.scalar_like(bins as f64 - 1.0);
    let x = x.maximum(x.scalar_like(0.0)).minimum(last).reshape([rows, 1, n]);
    let bin = x.graph().iota([1, bins, 1], 1);
    x.binary("eq", bin).cast(DType::Float32).sum(&[2])
}

/// Sums of every row of `x` (rows, n) up to each element.
pub(super) fn running_sum(x: Value<'_>) -> Value<'_> {
    let n = x.extent(1);
    let graph = x.graph();
    let (from, to) = (graph.iota([n, n], 0), graph.iota([n, n], 1));
    x.dot(from.binary("le", to).cast(x.dtype()))
}
