//! `keras.ops.numpy`, that move elements without changing them.

use crate::base::{DType, Error, Result, Shape};
use crate::graph::Value;
use crate::layers::config::Json;
use crate::layers::imaging::Fill;
use crate::operations::call::Call;
use crate::operations::operations;
use crate::operations::reductions::on_diagonal;

operations! {
    /// Changes of shape and order.
    SHAPES:
    Reshape(x) { newshape: null } |c| {
        let x = c.value(0)?;
        let target = extents(c, "newshape")?;
        Ok(x.reshape(crate::layers::resolve_shape(&target, &x.shape())?))
    };
    Ravel(x) |c| {
        let x = c.value(0)?;
        Ok(x.reshape([x.shape().len()]))
    };
    Transpose(x) { axes: null } |c| transpose(c);
    Swapaxes(x) { axis1: null, axis2: null } |c| {
        let x = c.value(0)?;
        let shape = x.shape();
        let mut order: Vec<usize> = (0..shape.rank()).collect();
        order.swap(c.axis("axis1", &shape)?, c.axis("axis2", &shape)?);
        Ok(x.transpose(&order))
    };
    Moveaxis(x) { source: null, destination: null } |c| move_axes(c);
    Squeeze(x) { axis: null } |c| squeeze(c);
    ExpandDims(x) { axis: null } |c| expand_dims(c);
    BroadcastTo(x) { shape: null } |c| {
        let target = extents(c, "shape")?.into_iter().collect::<Option<Vec<usize>>>();
        let target = target.ok_or_else(|| c.config.bad("shape", "known extents"))?;
        Ok(c.value(0)?.broadcast(target))
    };
    Concatenate(xs) { axis: 0 } |c| {
        let values = c.list(0)?;
        join(c, &values, c.config.int("axis")?)
    };
    Append(x1, x2) { axis: null } |c| {
        let (a, b) = c.pair()?;
        if c.config.is_null("axis") {
            let flat = |v: Value<'_>| [v.shape().len()];
            return Ok(c.cx.graph().concat(&[a.reshape(flat(a)), b.reshape(flat(b))], 0).into());
        }
        join(c, &[a, b], c.config.int("axis")?)
    };
    Hstack(xs) |c| {
        let values: Vec<Value> = c.list(0)?.into_iter().map(|v| at_least(v, 1)).collect();
        let axis = values.first().map_or(0, |v| i64::from(v.rank() > 1));
        join(c, &values, axis)
    };
    Vstack(xs) |c| {
        let rows = |v: Value<'_>| if v.rank() < 2 { [1, v.shape().len()].into() } else { v.shape() };
        let values: Vec<Value> = c.list(0)?.into_iter().map(|v| v.reshape(rows(v))).collect();
        join(c, &values, 0)
    };
    Dstack(xs) |c| {
        let deep = |v: Value<'_>| match v.rank() {
            0 | 1 => Shape::from([1, v.shape().len(), 1]),
            _ => at_least_shape(&v.shape(), 3),
        };
        let values: Vec<Value> = c.list(0)?.into_iter().map(|v| v.reshape(deep(v))).collect();
        join(c, &values, 2)
    };
    Stack(x) { axis: 0 } |c| {
        let values = c.list(0)?;
        let rank = values.first().map_or(0, |v| v.rank());
        let axis = crate::base::shape::normalize_axis(c.config.int("axis")?, rank + 1)?;
        let with_axis = |v: Value<'_>| {
            let mut extents = v.shape().to_vec();
            extents.insert(axis.min(extents.len()), 1);
            extents
        };
        let values: Vec<Value> = values.into_iter().map(|v| v.reshape(with_axis(v))).collect();
        join(c, &values, axis as i64)
    };
    Size(x) |c| count(c, c.value(0)?.shape().len());
    Ndim(x) |c| count(c, c.value(0)?.rank());
    ArraySplit(x) { indices_or_sections: null, axis: 0 } |c| array_split(c);
    Split(x) { indices_or_sections: null, axis: 0 } |c| split(c, c.config.int("axis")?);
    Hsplit(x) { indices_or_sections: null } |c| {
        split(c, i64::from(c.value(0)?.rank() > 1))
    };
    Vsplit(x) { indices_or_sections: null } |c| split(c, 0);
    Dsplit(x) { indices_or_sections: null } |c| split(c, 2);
    Flip(x) { axis: null } |c| {
        let x = c.value(0)?;
        Ok(x.reverse(&c.axes("axis", x.rank())?))
    };
    Flipud(x) |c| flip(c, 0);
    Fliplr(x) |c| flip(c, 1);
    Roll(x) { shift: null, axis: null } |c| roll(c);
    Rot90(array) { k: 1, axes: [0, 1] } |c| rot90(c);
    Tile(x) { repeats: null } |c| tile(c);
    Repeat(x) { repeats: null, axis: null } |c| {
        let x = c.value(0)?;
        let (x, axis) = if c.config.is_null("axis") {
            (x.reshape([x.shape().len()]), 0)
        } else {
            (x, c.axis("axis", &x.shape())?)
        };
        match c.config.ints("repeats")?.as_slice() {
            &[n] => {
                let n = usize::try_from(n).map_err(|_| c.config.bad("repeats", "a count"))?;
                Ok(x.repeat(axis, n))
            }
            counts => repeat_each(c, x, axis, counts),
        }
    };
    Pad(x, constant_values) { pad_width: null, mode: "constant" } |c| pad(c);
    Tril(x) { k: 0 } |c| triangle(c, "le");
    Triu(x) { k: 0 } |c| triangle(c, "ge");
    Diff(a) { n: 1, axis: (-1) } |c| {
        let mut x = c.value(0)?;
        let axis = c.axis("axis", &x.shape())?;
        for _ in 0..c.config.int("n")? {
            let extent = x.extent(axis);
            if extent == 0 {
                break;
            }
            x = x.narrow(axis, 1, extent - 1) - x.narrow(axis, 0, extent - 1);
        }
        Ok(x)
    };
}

/// The largest number of tensors that one operation gives.
pub(super) const MAX_PIECES: usize = 1 << 16;

/// Extents under a key, `None` for −1.
fn extents(c: &Call<'_, '_>, key: &str) -> Result<Vec<Option<usize>>> {
    let bad = || c.config.bad(key, "extents, one of which may be -1");
    let extent = |n: i64| match n {
        -1 => Ok(None),
        n => usize::try_from(n).map(Some).map_err(|_| bad()),
    };
    let all: Vec<Option<usize>> =
        c.config.ints(key)?.into_iter().map(extent).collect::<Result<_>>()?;
    if all.iter().filter(|d| d.is_none()).count() > 1 { Err(bad()) } else { Ok(all) }
}

fn at_least_shape(shape: &Shape, rank: usize) -> Shape {
    let missing = rank.saturating_sub(shape.rank());
    shape.iter().copied().chain(std::iter::repeat_n(1, missing)).collect()
}

fn at_least(v: Value<'_>, rank: usize) -> Value<'_> {
    v.reshape(at_least_shape(&v.shape(), rank))
}

fn join<'g>(c: &Call<'_, 'g>, values: &[Value<'g>], axis: i64) -> Result<Value<'g>> {
    let first = values.first().ok_or_else(|| c.bad(0, "at least one tensor"))?;
    Ok(c.cx.graph().concat(values, first.shape().axis(axis)?))
}

fn transpose<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.value(0)?;
    let shape = x.shape();
    if c.config.is_null("axes") {
        return Ok(x.transpose(&(0..shape.rank()).rev().collect::<Vec<_>>()));
    }
    let axes = c.config.ints("axes")?;
    let axes: Vec<usize> = axes.into_iter().map(|a| shape.axis(a)).collect::<Result<_>>()?;
    Ok(x.transpose(&axes))
}

fn move_axes<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.value(0)?;
    let shape = x.shape();
    let axes = |key: &str| -> Result<Vec<usize>> {
        c.config.ints(key)?.into_iter().map(|axis| shape.axis(axis)).collect()
    };
    let (from, to) = (axes("source")?, axes("destination")?);
    let mut moves: Vec<(usize, usize)> = to.iter().copied().zip(from.iter().copied()).collect();
    moves.sort_unstable();
    let distinct = moves.windows(2).all(|w| w[0].0 != w[1].0);
    if from.len() != to.len() || !distinct {
        return Err(c.config.bad("destination", "as many distinct axes as the source"));
    }
    let mut order: Vec<usize> = (0..shape.rank()).filter(|axis| !from.contains(axis)).collect();
    for (to, from) in moves {
        order.insert(to.min(order.len()), from);
    }
    Ok(x.transpose(&order))
}

fn squeeze<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.value(0)?;
    let shape = x.shape();
    let axes: Vec<usize> = if c.config.is_null("axis") {
        (0..shape.rank()).filter(|&i| shape[i] == 1).collect()
    } else {
        c.axes("axis", shape.rank())?
    };
    if axes.iter().any(|&axis| shape[axis] != 1) {
        return Err(Error::shape("squeeze", format!("axes {axes:?} of {shape}"), "extents of 1"));
    }
    let kept = shape.iter().enumerate().filter(|(i, _)| !axes.contains(i)).map(|(_, &d)| d);
    Ok(x.reshape(kept.collect::<Shape>()))
}

fn expand_dims<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.value(0)?;
    let axes = c.config.ints("axis")?;
    let rank = x.rank() + axes.len();
    let new = c.axes("axis", rank)?;
    if new.len() != axes.len() {
        return Err(c.config.bad("axis", "distinct axes"));
    }
    let mut extents = x.shape().to_vec();
    new.into_iter().for_each(|axis| extents.insert(axis, 1));
    Ok(x.reshape(extents))
}

fn split<'g>(c: &Call<'_, 'g>, axis: i64) -> Result<Vec<Value<'g>>> {
    const KEY: &str = "indices_or_sections";
    let x = c.value(0)?;
    let axis = x.shape().axis(axis)?;
    let extent = x.extent(axis);
    let ends: Vec<usize> = match c.config.get(KEY) {
        Json::Array(_) => {
            // As Python slices do: negative positions count from the back, all are clamped.
            let end = |n: i64| {
                let n = if n < 0 { n.saturating_add_unsigned(extent as u64) } else { n };
                n.clamp(0, extent as i64) as usize
            };
            c.config.ints(KEY)?.into_iter().map(end).chain([extent]).collect()
        }
        _ => {
            let sections = c.config.size(KEY)?;
            if sections > MAX_PIECES || !extent.is_multiple_of(sections) {
                let expected = format!("a divisor of the extent {extent}, at most {MAX_PIECES}");
                return Err(c.config.bad(KEY, &expected));
            }
            (1..=sections).map(|i| i * (extent / sections)).collect()
        }
    };
    let starts = [0].into_iter().chain(ends.iter().copied());
    let piece =
        |(start, &end): (usize, &usize)| x.narrow(axis, start.min(end), end.saturating_sub(start));
    Ok(starts.zip(&ends).map(piece).collect())
}

/// A number that the shape gives, as Keras's int32 scalar.
fn count<'g>(c: &Call<'_, 'g>, n: usize) -> Result<Value<'g>> {
    Ok(c.cx.graph().scalar(n as f64, DType::Int32))
}

/// A number of pieces of extents that differ by at most one, the larger ones in front.
fn array_split<'g>(c: &Call<'_, 'g>) -> Result<Vec<Value<'g>>> {
    const KEY: &str = "indices_or_sections";
    let x = c.value(0)?;
    let axis = c.axis("axis", &x.shape())?;
    let (extent, sections) = (x.extent(axis), c.config.size(KEY)?);
    if !(1..=MAX_PIECES).contains(&sections) {
        return Err(c.config.bad(KEY, &format!("1 to {MAX_PIECES}")));
    }
    let (small, larger) = (extent / sections, extent % sections);
    let start = |i: usize| i * small + i.min(larger);
    Ok((0..sections).map(|i| x.narrow(axis, start(i), start(i + 1) - start(i))).collect())
}

fn flip<'g>(c: &Call<'_, 'g>, axis: i64) -> Result<Value<'g>> {
    let x = c.value(0)?;
    Ok(x.reverse(&[x.shape().axis(axis)?]))
}

/// `x` with its last `shift` elements along `axis` moved to the front.
fn rolled(x: Value<'_>, axis: usize, shift: i64) -> Value<'_> {
    let extent = x.extent(axis);
    if extent == 0 {
        return x;
    }
    let shift = shift.rem_euclid(extent as i64) as usize;
    let front = x.narrow(axis, extent - shift, shift);
    x.graph().concat(&[front, x.narrow(axis, 0, extent - shift)], axis)
}

fn roll<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.value(0)?;
    let shape = x.shape();
    let shifts = c.config.ints("shift")?;
    if c.config.is_null("axis") {
        let flat = x.reshape([shape.len()]);
        return Ok(rolled(flat, 0, shifts.iter().sum()).reshape(shape));
    }
    let axes = c.config.ints("axis")?;
    let count = shifts.len().max(axes.len());
    if [shifts.len(), axes.len()].iter().any(|&n| n != count && n != 1) {
        return Err(c.config.bad("shift", "one number per axis"));
    }
    let cycled = shifts.iter().cycle().zip(axes.iter().cycle()).take(count);
    cycled.into_iter().try_fold(x, |x, (&shift, &axis)| Ok(rolled(x, shape.axis(axis)?, shift)))
}

fn rot90<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.value(0)?;
    let shape = x.shape();
    let axes = c.config.ints("axes")?;
    let (i, j) = match axes.as_slice() {
        &[i, j] => (shape.axis(i)?, shape.axis(j)?),
        _ => return Err(c.config.bad("axes", "two axes")),
    };
    let mut order: Vec<usize> = (0..shape.rank()).collect();
    order.swap(i, j);
    Ok(match c.config.int("k")?.rem_euclid(4) {
        0 => x,
        1 => x.reverse(&[j]).transpose(&order),
        2 => x.reverse(&[i, j]),
        _ => x.transpose(&order).reverse(&[j]),
    })
}

fn tile<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.value(0)?;
    let bad = || c.config.bad("repeats", "counts");
    let repeats = c.config.ints("repeats")?;
    let mut counts: Vec<usize> =
        repeats.iter().map(|&n| usize::try_from(n).map_err(|_| bad())).collect::<Result<_>>()?;
    let rank = counts.len().max(x.rank());
    counts.splice(0..0, std::iter::repeat_n(1, rank - counts.len()));
    let mut shape = x.shape().to_vec();
    shape.splice(0..0, std::iter::repeat_n(1, rank - shape.len()));
    let (mut split, mut spread) = (Vec::new(), Vec::new());
    for (&n, &d) in counts.iter().zip(&shape) {
        split.extend([1, d]);
        spread.extend([n, d]);
    }
    let tiled: Shape = counts.iter().zip(&shape).map(|(n, &d)| n.saturating_mul(d)).collect();
    Ok(x.reshape(split).broadcast(spread).reshape(tiled))
}

/// Every element along `axis` its own number of times.
fn repeat_each<'g>(
    c: &Call<'_, 'g>,
    x: Value<'g>,
    axis: usize,
    counts: &[i64],
) -> Result<Value<'g>> {
    if counts.len() != x.extent(axis) || counts.iter().any(|&n| n < 0) {
        return Err(c.config.bad("repeats", "a count for every element of the axis"));
    }
    let pieces = counts.iter().enumerate();
    let pieces: Vec<Value<'g>> =
        pieces.map(|(i, &n)| x.narrow(axis, i, 1).repeat(axis, n as usize)).collect();
    Ok(c.cx.graph().concat(&pieces, axis))
}

fn pad<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.value(0)?;
    let widths = pad_widths(c, x.rank())?;
    match c.config.str("mode")? {
        "constant" => {
            let fill = match c.plain(1) {
                None if c.arg(1).is_none() => 0.0,
                fill => fill.and_then(|f| f.as_f64()).ok_or_else(|| c.bad(1, "a number"))?,
            };
            let (low, high): (Vec<usize>, Vec<usize>) = widths.into_iter().unzip();
            Ok(x.pad(&low, &high, fill))
        }
        "edge" => mirrored(c, x, &widths, |x, axis, count, front| {
            let extent = x.extent(axis);
            x.narrow(axis, if front { 0 } else { extent - 1 }, 1).repeat(axis, count)
        }),
        "wrap" => folded(c, x, &widths, Fill::Wrap),
        "reflect" if is_beyond(&x.shape(), &widths, 1) => folded(c, x, &widths, Fill::Mirror),
        "symmetric" if is_beyond(&x.shape(), &widths, 0) => folded(c, x, &widths, Fill::Reflect),
        "reflect" => mirrored(c, x, &widths, |x, axis, count, front| {
            let extent = x.extent(axis);
            let start = if front { 1 } else { extent.wrapping_sub(count + 1) };
            x.narrow(axis, start, count).reverse(&[axis])
        }),
        "symmetric" => mirrored(c, x, &widths, |x, axis, count, front| {
            let extent = x.extent(axis);
            let start = if front { 0 } else { extent.wrapping_sub(count) };
            x.narrow(axis, start, count).reverse(&[axis])
        }),
        "maximum" => mirrored(c, x, &widths, |x, axis, count, _| {
            x.max(&[axis]).keep_axes(&x.shape(), &[axis]).repeat(axis, count)
        }),
        "minimum" => mirrored(c, x, &widths, |x, axis, count, _| {
            x.min(&[axis]).keep_axes(&x.shape(), &[axis]).repeat(axis, count)
        }),
        mode => Err(Error::Unsupported(format!(
            "padding mode '{}'; supported are constant, edge, reflect, symmetric, wrap, maximum and minimum",
            crate::base::error::quote(mode)
        ))),
    }
}

/// Whether a piece of an axis is too short for what is put beside it; `kept` elements are not in it.
fn is_beyond(shape: &Shape, widths: &[(usize, usize)], kept: usize) -> bool {
    widths.iter().zip(shape.iter()).any(|(&(low, high), &n)| low.max(high) + kept > n)
}

/// `x` continued beyond its ends, however far.
fn folded<'g>(
    c: &Call<'_, 'g>,
    x: Value<'g>,
    widths: &[(usize, usize)],
    fill: Fill,
) -> Result<Value<'g>> {
    let padded = |y: Value<'g>, (axis, &(low, high)): (usize, &(usize, usize))| {
        let extent = y.extent(axis);
        match low + high {
            0 => Ok(y),
            _ if extent == 0 => Err(c.bad(0, "elements along the axes that are padded")),
            more => {
                let index = y.graph().iota([extent.saturating_add(more)], 0) - low as f64;
                Ok(y.gather(fill.fix(index, extent), axis))
            }
        }
    };
    widths.iter().enumerate().try_fold(x, padded)
}

/// `x` with pieces of itself in front of and behind each axis.
fn mirrored<'g>(
    c: &Call<'_, 'g>,
    x: Value<'g>,
    widths: &[(usize, usize)],
    piece: impl Fn(Value<'g>, usize, usize, bool) -> Value<'g>,
) -> Result<Value<'g>> {
    let mut y = x;
    for (axis, &(low, high)) in widths.iter().enumerate() {
        if y.extent(axis) == 0 && low + high > 0 {
            return Err(c.bad(0, "elements along the axes that are padded"));
        }
        let mut parts = vec![y];
        if low > 0 {
            parts.insert(0, piece(y, axis, low, true));
        }
        if high > 0 {
            parts.push(piece(y, axis, high, false));
        }
        y = c.cx.graph().concat(&parts, axis);
    }
    Ok(y)
}

/// `pad_width`: one number, one pair, or a pair per axis.
fn pad_widths(c: &Call<'_, '_>, rank: usize) -> Result<Vec<(usize, usize)>> {
    let bad = || c.config.bad("pad_width", &format!("a pair of counts for each of {rank} axes"));
    let count = |json: &Json| {
        let n = json.as_u64().filter(|&n| n <= u64::from(u32::MAX));
        n.map(|n| n as usize).ok_or_else(bad)
    };
    let pair = |json: &Json| match json.as_array().map(Vec::as_slice) {
        Some([both]) => Ok((count(both)?, count(both)?)),
        Some([low, high]) => Ok((count(low)?, count(high)?)),
        _ => Err(bad()),
    };
    let json = c.config.get("pad_width");
    let widths = match json {
        Json::Array(items) if items.iter().all(Json::is_array) => {
            items.iter().map(pair).collect::<Result<Vec<_>>>()?
        }
        Json::Array(_) => vec![pair(json)?],
        n => vec![(count(n)?, count(n)?)],
    };
    match widths.as_slice() {
        &[all] => Ok(vec![all; rank]),
        _ if widths.len() == rank => Ok(widths),
        _ => Err(bad()),
    }
}

fn triangle<'g>(c: &Call<'_, 'g>, test: &'static str) -> Result<Value<'g>> {
    let x = c.value(0)?;
    let (Some(columns), Some(rows)) = (x.rank().checked_sub(1), x.rank().checked_sub(2)) else {
        return Err(c.bad(0, "a matrix"));
    };
    let inside = on_diagonal(x, (rows, columns), c.config.int("k")?, test)?;
    Ok(inside.select(x, x.like(0.0)))
}
