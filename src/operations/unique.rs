//! `keras.ops.unique`, of a number of elements that is known beforehand.

use crate::base::{DType, Error, Result, Shape};
use crate::graph::Value;
use crate::graph::ops::ReduceKind;
use crate::operations::call::Call;
use crate::operations::operations;

operations! {
    /// Distinct elements.
    UNIQUE:
    Unique(x) {
        sorted: true,
        return_index: false,
        return_inverse: false,
        return_counts: false,
        axis: null,
        size: null,
        fill_value: null
    } |c| unique(c);
}

/// The most numbers to a row: every one of them is a key of the sort.
const MAX_KEYS: usize = 1 << 10;

/// Distinct elements, or distinct slices along `axis`, in ascending order. `size` of them are given:
/// behind the last one comes `fill_value`, or the first one again.
fn unique<'g>(c: &Call<'_, 'g>) -> Result<Vec<Value<'g>>> {
    c.config.bool("sorted")?;
    let x = c.value(0)?;
    let size = c.config.optional_size("size")?.ok_or_else(|| {
        let what = "unique without 'size': how many elements it gives depends on the data";
        Error::Unsupported(what.into())
    })?;
    let axis = match c.config.is_null("axis") {
        true => None,
        false => Some(c.axis("axis", &x.shape())?),
    };
    let front = axis.map_or_else(|| x.reshape([x.shape().len()]), |axis| x.move_axis(axis, 0));
    let (shape, n) = (front.shape(), front.extent(0));
    let keys = shape.len().checked_div(n).unwrap_or(0);
    if keys == 0 || keys > MAX_KEYS {
        let expected = format!("one element or more, and at most {MAX_KEYS} in a slice");
        return Err(Error::shape("unique", x.shape().to_string(), expected));
    }
    let rows = front.reshape([n, keys]);
    let order = lexicographic(rows);
    let sorted = rows.gather(order, 0);
    let number = numbers(sorted);
    let graph = x.graph();
    // The first row of each number; rows of numbers from `size` on are left out.
    let place = graph.iota([n, 1], 0);
    let first = place.segment_reduce(number, ReduceKind::Min, size).reshape([size]);
    let found = first.binary("lt", first.like(n as f64));
    let first = found.select(first, first.like(0.0));
    let values = sorted.gather(first, 0);
    let values = match c.config.optional_float("fill_value")? {
        Some(fill) => found.reshape([size, 1]).select(values, values.like(fill)),
        None => values,
    };
    let extents: Shape = [size].into_iter().chain(shape.iter().skip(1).copied()).collect();
    let values = values.reshape(extents);
    let mut outputs = vec![axis.map_or(values, |axis| values.move_axis(0, axis))];
    if c.config.bool("return_index")? {
        outputs.push(order.gather(first, 0));
    }
    if c.config.bool("return_inverse")? {
        // The inverse of a permutation is what sorts it.
        let inverse = number.gather(order.argsort(0, false), 0);
        outputs.push(if axis.is_none() { inverse.reshape(x.shape()) } else { inverse });
    }
    if c.config.bool("return_counts")? {
        let ones = place.like(1.0);
        outputs.push(ones.segment_reduce(number, ReduceKind::Sum, size).reshape([size]));
    }
    Ok(outputs)
}

/// The order of rows `(n, keys)`, by their first keys first: sorted by the last key, and by each before
/// it without disturbing equal ones.
fn lexicographic(rows: Value<'_>) -> Value<'_> {
    let (n, keys) = (rows.extent(0), rows.extent(1));
    let column = |i: usize| rows.narrow(1, i, 1).reshape([n]);
    let last = column(keys - 1).argsort(0, false);
    (0..keys - 1).rev().fold(last, |order, i| {
        let next = column(i).gather(order, 0).argsort(0, false);
        order.gather(next, 0)
    })
}

/// For every sorted row, how many distinct rows come before it. A NaN is equal to nothing.
fn numbers(sorted: Value<'_>) -> Value<'_> {
    let n = sorted.extent(0);
    let (before, after) = (sorted.narrow(0, 0, n - 1), sorted.narrow(0, 1, n - 1));
    let differs = before.binary("ne", after).max(&[1]).cast(DType::Int32);
    super::reductions::running_along(differs.pad(&[1], &[0], 0.0), 0, 0.0, |a, b| a + b)
}
