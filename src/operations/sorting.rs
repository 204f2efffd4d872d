//! `keras.ops`, by the order of elements.

use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::operations::call::Call;
use crate::operations::operations;

operations! {
    /// Sorting and searching, in `keras.ops.numpy`.
    SORTING:
    Sort(x) { axis: (-1) } |c| {
        let (x, axis) = along(c, c.value(0)?)?;
        Ok(sorted(x, axis))
    };
    Argsort(x) { axis: (-1) } |c| {
        let x = c.value(0)?;
        // A scalar has one position; null means all elements in one row.
        let (x, axis) =
            if x.rank() == 0 { (x.reshape([1]), 0) } else { along(c, x)? };
        Ok(x.argsort(axis, false))
    };
    Argpartition(x) { kth: null, axis: (-1) } |c| argpartition(c);
    SearchSorted(sorted_sequence, values) { side: "left" } |c| {
        let (sorted, values) = c.pair()?;
        let right = c.config.choice("side", &[("left", false), ("right", true)])?;
        search_sorted(sorted, values, right)
    };
    Digitize(x, bins) |c| {
        let (x, bins) = c.pair()?;
        digitize(x, bins)
    };
    IsIn(x1, x2) { assume_unique: false, invert: false } |c| {
        // Whether elements are said to be unique changes the cost in Keras, not the result.
        c.config.bool("assume_unique")?;
        let (x, set) = c.pair()?;
        is_in(x, set, c.config.bool("invert")?)
    };
}

operations! {
    /// The largest elements, in `keras.ops.math`.
    LARGEST:
    TopK(x) { k: null, sorted: true } |c| {
        // Keras leaves the order of an unsorted result open.
        c.config.bool("sorted")?;
        let x = c.value(0)?;
        let (k, last) = (c.config.size("k")?, x.rank().checked_sub(1));
        match last {
            Some(last) if k <= x.extent(last) => {
                let at = x.argsort(last, true).narrow(last, 0, k);
                Ok(vec![x.take_along(at, last), at])
            }
            _ => Err(Error::shape("top_k", x.shape().to_string(), format!("at least {k} elements along the last axis"))),
        }
    };
    InTopK(targets, predictions) { k: null } |c| in_top_k(c);
}

/// A value and the axis under `axis`; null stands for all elements in one row.
fn along<'g>(c: &Call<'_, 'g>, x: Value<'g>) -> Result<(Value<'g>, usize)> {
    if c.config.is_null("axis") {
        return Ok((x.reshape([x.shape().len()]), 0));
    }
    Ok((x, c.axis("axis", &x.shape())?))
}

/// The elements in ascending order along `axis`, NaN last.
pub(super) fn sorted(x: Value<'_>, axis: usize) -> Value<'_> {
    x.take_along(x.argsort(axis, false), axis)
}

/// Positions of which the first `kth + 1` are those of the smallest elements in order, the others in
/// the order of the axis, as JAX gives them.
fn argpartition<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let (x, axis) = along(c, c.value(0)?)?;
    let extent = x.extent(axis) as i64;
    let kth = c.config.int("kth")?;
    if !(-extent..extent).contains(&kth) {
        return Err(c.config.bad("kth", &format!("a position along an axis of {extent}")));
    }
    let (count, extent) = (kth.rem_euclid(extent) as usize + 1, extent as usize);
    let order = x.argsort(axis, false);
    let others = sorted(order.narrow(axis, count, extent - count), axis);
    Ok(c.cx.graph().concat(&[order.narrow(axis, 0, count), others], axis))
}

/// Where values would be put into a sorted row: the number of elements less than each, or not greater
/// if `right`. A NaN is larger than all numbers.
pub(super) fn search_sorted<'g>(
    sorted: Value<'g>,
    values: Value<'g>,
    right: bool,
) -> Result<Value<'g>> {
    let &[n] = sorted.shape().as_slice() else {
        let found = sorted.shape().to_string();
        return Err(Error::shape("searchsorted", found, "one axis of sorted elements"));
    };
    let graph = sorted.graph();
    let lows = values.cast(DType::Int32).like(0.0);
    if n == 0 {
        return Ok(lows);
    }
    // As many halvings as the row needs, all of them in one kernel.
    let mut low = graph.scalar(0.0, DType::Int32).broadcast(values.shape());
    let mut high = graph.scalar(n as f64, DType::Int32).broadcast(values.shape());
    for _ in 0..usize::BITS - n.leading_zeros() {
        let middle = (low + high).binary("shr", low.like(1.0));
        let found = sorted.gather(middle, 0);
        let before = if right { less(values, found).unary("not") } else { less(found, values) };
        let open = low.binary("lt", high);
        let before = before.binary("and", open);
        low = before.select(middle + 1.0, low);
        high = before.binary("or", open.unary("not")).select(high, middle);
    }
    Ok(low)
}

/// `a < b` in the order of sorting, in which NaN is last.
fn less<'g>(a: Value<'g>, b: Value<'g>) -> Value<'g> {
    let less = a.binary("lt", b);
    if !a.dtype().is_float() {
        return less;
    }
    less.binary("or", b.unary("isnan").binary("and", a.unary("isnan").unary("not")))
}

/// The bin of each element: bins ascend or descend.
pub(super) fn digitize<'g>(x: Value<'g>, bins: Value<'g>) -> Result<Value<'g>> {
    let up = search_sorted(bins, x, true)?;
    let n = bins.extent(0);
    if n == 0 {
        return Ok(up);
    }
    let down = -search_sorted(bins.reverse(&[0]), x, true)? + n as f64;
    let ascending = bins.narrow(0, n - 1, 1).binary("ge", bins.narrow(0, 0, 1)).reshape([]);
    Ok(ascending.select(up, down))
}

/// Whether elements are among those of a set, by search in it.
fn is_in<'g>(x: Value<'g>, set: Value<'g>, invert: bool) -> Result<Value<'g>> {
    let n = set.shape().len();
    let found = if n == 0 {
        x.graph().scalar(0.0, DType::Bool).broadcast(x.shape())
    } else {
        let row = sorted(set.reshape([n]), 0);
        let at = search_sorted(row, x, false)?;
        row.gather(at, 0).binary("eq", x)
    };
    Ok(if invert { found.unary("not") } else { found })
}

fn in_top_k<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let (targets, predictions) = (c.value(0)?, c.value(1)?);
    let k = c.config.int("k")?;
    let last = match predictions.rank().checked_sub(1) {
        Some(last) if predictions.shape()[..last] == *targets.shape().as_slice() => last,
        _ => return Err(c.bad(1, "predictions of each target's classes")),
    };
    let mut extents = targets.shape().to_vec();
    extents.push(1);
    let at = super::scatter::take_along(predictions, targets.reshape(extents), last)?;
    // A NaN is no large probability.
    let at = if at.dtype().is_float() {
        at.unary("isnan").select(at.like(f64::NEG_INFINITY), at)
    } else {
        at
    };
    let rank = predictions.binary("gt", at).cast(DType::Int32).sum(&[last]) + 1.0;
    Ok(rank.binary("le", rank.like(k as f64)))
}
