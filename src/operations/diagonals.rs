//! `keras.ops.numpy`, matrices by their diagonals and products.

use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::operations::call::Call;
use crate::operations::operations;

operations! {
    /// Diagonals and products that are no sums.
    DIAGONALS:
    Diag(x) { k: 0 } |c| {
        let x = c.value(0)?;
        match x.rank() {
            1 => with_diagonal(c, x, c.config.int("k")?),
            2 => diagonal(x, 0, 1, c.config.int("k")?),
            _ => Err(c.bad(0, "one or two axes")),
        }
    };
    Diagflat(x) { k: 0 } |c| {
        let x = c.value(0)?;
        with_diagonal(c, x.reshape([x.shape().len()]), c.config.int("k")?)
    };
    Diagonal(x) { offset: 0, axis1: 0, axis2: 1 } |c| {
        let x = c.value(0)?;
        let (i, j) = (c.axis("axis1", &x.shape())?, c.axis("axis2", &x.shape())?);
        diagonal(x, i, j, c.config.int("offset")?)
    };
    Kron(x1, x2) |c| {
        let (a, b) = c.pair()?;
        let rank = a.rank().max(b.rank());
        let full = |shape: crate::base::Shape| {
            let mut extents = vec![1; rank - shape.rank()];
            extents.extend_from_slice(&shape);
            extents
        };
        let (sa, sb) = (full(a.shape()), full(b.shape()));
        let spread = |s: &[usize], first: bool| -> Vec<usize> {
            s.iter().flat_map(|&d| if first { [d, 1] } else { [1, d] }).collect()
        };
        let (a, b) = (a.reshape(spread(&sa, true)), b.reshape(spread(&sb, false)));
        let y = if a.dtype() == DType::Bool { a.binary("and", b) } else { a * b };
        Ok(y.reshape(sa.iter().zip(&sb).map(|(x, y)| x * y).collect::<Vec<_>>()))
    };
    Cross(x1, x2) { axisa: (-1), axisb: (-1), axisc: (-1), axis: null } |c| cross(c);
    Vander(x) { N: null, increasing: false } |c| {
        let x = c.value(0)?;
        let &[rows] = x.shape().as_slice() else { return Err(c.bad(0, "one axis")) };
        let columns = if c.config.is_null("N") { rows as i64 } else { c.config.int("N")? };
        let columns = usize::try_from(columns).ok().filter(|&n| n <= i32::MAX as usize);
        let columns = columns.ok_or_else(|| c.config.bad("N", "a count"))?;
        let power = c.cx.graph().iota([1, columns], 1);
        let power = match c.config.bool("increasing")? {
            true => power,
            false => -power + (columns as f64 - 1.0),
        };
        let x = if x.dtype() == DType::Bool { x.cast(DType::Int32) } else { x };
        Ok(x.reshape([rows, 1]).binary("pow", power.cast(x.dtype())))
    };
}

/// The elements for which `axis j` less `axis i` is the offset, along a last axis.
fn diagonal(x: Value<'_>, i: usize, j: usize, offset: i64) -> Result<Value<'_>> {
    let shape = x.shape();
    if i == j {
        return Err(Error::shape("diagonal", format!("axis {i} twice"), "two different axes"));
    }
    let rest: Vec<usize> = (0..shape.rank()).filter(|&axis| axis != i && axis != j).collect();
    let (rows, columns) = (shape[i], shape[j]);
    let first = |by: i64| usize::try_from(by).unwrap_or(0);
    let (row, column) = (first(offset.saturating_neg()), first(offset));
    let n = rows.saturating_sub(row).min(columns.saturating_sub(column));
    let moved = x.transpose(&[rest.as_slice(), &[i, j]].concat());
    let lead: Vec<usize> = rest.iter().map(|&axis| shape[axis]).collect();
    let extents = |tail: &[usize]| lead.iter().chain(tail).copied().collect::<Vec<_>>();
    let flat = moved.reshape(extents(&[rows * columns]));
    if n == 0 {
        return Ok(flat.narrow(lead.len(), 0, 0));
    }
    // Neighbours on a diagonal are a row and an element apart.
    let mut start = vec![0; lead.len() + 1];
    let mut step = vec![1; lead.len() + 1];
    start[lead.len()] = row * columns + column;
    step[lead.len()] = columns as i64 + 1;
    Ok(flat.slice(&start, &extents(&[n]), &step))
}

/// A matrix of zeros but for a row on one of its diagonals.
fn with_diagonal<'g>(c: &Call<'_, 'g>, row: Value<'g>, offset: i64) -> Result<Value<'g>> {
    let n = row.extent(0);
    let by = usize::try_from(offset.unsigned_abs()).ok().filter(|&by| by < 1 << 20);
    let by = by.ok_or_else(|| c.config.bad("k", "an offset below 2^20"))?;
    let size = n + by;
    let (low, high) = if offset > 0 { (0, by) } else { (by, 0) };
    let row = row.pad(&[low], &[high], 0.0).reshape([size, 1]).broadcast([size, size]);
    let inside = super::reductions::on_diagonal(row, (0, 1), offset, "eq")?;
    Ok(inside.select(row, row.like(0.0)))
}

fn cross<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let (a, b) = c.pair()?;
    let key = |own: &'static str| if c.config.is_null("axis") { own } else { "axis" };
    let last = |v: Value<'g>, key: &'static str| -> Result<Value<'g>> {
        Ok(v.move_axis(c.axis(key, &v.shape())?, v.rank() - 1))
    };
    let (a, b) = (last(a, key("axisa"))?, last(b, key("axisb"))?);
    let part = |v: Value<'g>, i: usize| {
        let axis = v.rank() - 1;
        let n = v.extent(axis);
        // A vector of two lies in the plane.
        let part = v.narrow(axis, i.min(n - 1), 1);
        if i < n { part } else { part.like(0.0) }
    };
    let sizes = [a, b].map(|v| v.extent(v.rank().saturating_sub(1)));
    if !sizes.iter().all(|n| [2, 3].contains(n)) {
        return Err(Error::shape(
            "cross",
            format!("vectors of {sizes:?}"),
            "two or three elements",
        ));
    }
    let component = |i: usize, j: usize| part(a, i) * part(b, j) - part(a, j) * part(b, i);
    if sizes == [2, 2] {
        let y = component(0, 1);
        let kept: Vec<usize> = y.shape().iter().copied().take(y.rank().saturating_sub(1)).collect();
        return Ok(y.reshape(kept));
    }
    let parts = [component(1, 2), component(2, 0), component(0, 1)];
    let y = c.cx.graph().concat(&parts, parts[0].rank().saturating_sub(1));
    let to = c.axis(key("axisc"), &y.shape())?;
    Ok(y.move_axis(y.rank().saturating_sub(1), to))
}
