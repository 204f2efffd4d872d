//! `keras.ops`, that put elements at positions or pick them there.

use crate::base::{DType, Error, Result, Shape};
use crate::graph::Value;
use crate::graph::ops::ReduceKind;
use crate::layers::Arg;
use crate::operations::call::Call;
use crate::operations::operations;
use crate::operations::promotion::result_type;

operations! {
    /// Scattering, in `keras.ops.core`.
    SCATTER:
    Scatter(indices, values) { shape: null } |c| {
        let (indices, values) = (c.value(0)?, c.value(1)?);
        let shape = shape_under(c, "shape")?;
        let zeros = values.scalar_like(0.0).broadcast(shape);
        scatter(zeros, indices, values, Some("add"))
    };
    ScatterUpdate(inputs, indices, updates) { reduction: null } |c| {
        let (x, indices, updates) = (c.value(0)?, c.value(1)?, c.value(2)?);
        let how = c.config.optional_str("reduction")?.map(str::to_lowercase);
        if how.as_deref().is_some_and(|how| !["add", "max", "min", "mul"].contains(&how)) {
            return Err(c.config.bad("reduction", "null, \"add\", \"max\", \"min\" or \"mul\""));
        }
        scatter(x, indices, updates.cast(x.dtype()), how.as_deref())
    };
    SliceUpdate(inputs, start_indices, updates) |c| slice_update(c);
}

operations! {
    /// Picking, in `keras.ops.numpy`.
    PICKING:
    TakeAlongAxis(x, indices) { axis: null } |c| {
        let (x, indices) = (c.value(0)?, c.value(1)?);
        if c.config.is_null("axis") {
            let flat = |v: Value<'_>| [v.shape().len()];
            return take_along(x.reshape(flat(x)), indices.reshape(flat(indices)), 0).map(Into::into);
        }
        take_along(x, indices, c.axis("axis", &x.shape())?)
    };
    UnravelIndex(indices) { shape: null } |c| {
        let (given, shape) = (c.value(0)?, shape_under(c, "shape")?);
        // A narrow integer may hold positions without holding their count.
        let at = if given.dtype().size() < 4 { given.cast(DType::Int32) } else { given };
        let len = at.like(shape.len() as f64);
        // Positions from the back count from the length; what lies outside is clamped.
        let at = at.binary("lt", at.like(0.0)).select(at + len, at);
        let last = at.like(shape.len() as f64 - 1.0);
        let at = at.binary("max", at.like(0.0)).binary("min", last);
        let strides = shape.strides();
        let part = |(&extent, stride): (&usize, usize)| {
            at.binary("floor_div", at.like(stride.max(1) as f64))
                .binary("mod", at.like(extent.max(1) as f64))
                .cast(given.dtype())
        };
        Ok(shape.iter().zip(strides).map(part).collect::<Vec<_>>())
    };
    Select(condlist, choicelist, default) |c| select(c);
}

/// Extents under a key.
fn shape_under(c: &Call<'_, '_>, key: &str) -> Result<Shape> {
    let extent = |n: i64| usize::try_from(n).map_err(|_| c.config.bad(key, "extents"));
    c.config.ints(key)?.into_iter().map(extent).collect::<Result<Vec<_>>>().map(Shape::from)
}

/// What JAX gives for a position outside an axis.
pub(super) fn outside(x: Value<'_>) -> Value<'_> {
    let bits = |dtype: DType| (8 * dtype.size()).min(32) as i32;
    x.scalar_like(match x.dtype() {
        dtype if dtype.is_float() => f64::NAN,
        DType::Bool => 1.0,
        dtype if dtype.is_signed_int() => -(2f64.powi(bits(dtype) - 1)),
        dtype => 2f64.powi(bits(dtype)) - 1.0,
    })
}

/// Elements along `axis`, all other axes broadcast; negative positions count from the back, those
/// outside give what [`outside`] says.
pub(super) fn take_along<'g>(x: Value<'g>, at: Value<'g>, axis: usize) -> Result<Value<'g>> {
    let (sx, si) = (x.shape(), at.shape());
    if sx.rank() != si.rank() {
        let found = format!("{si} for {sx}");
        return Err(Error::shape("positions along an axis", found, "as many axes as the values"));
    }
    let common = sx.with(axis, 1).broadcast(&si.with(axis, 1))?;
    let x = x.broadcast(common.with(axis, sx[axis]));
    let at = at.cast(DType::Int32).broadcast(common.with(axis, si[axis]));
    let extent = sx[axis] as f64;
    let at = at.binary("lt", at.like(0.0)).select(at + extent, at);
    let inside = at.binary("ge", at.like(0.0)).binary("and", at.binary("lt", at.like(extent)));
    if sx[axis] == 0 {
        return Ok(outside(x).broadcast(at.shape()));
    }
    Ok(inside.select(x.take_along(at, axis), outside(x)))
}

/// `x` with updates put at the positions that the rows of `indices` name; positions outside are
/// dropped.
fn scatter<'g>(
    x: Value<'g>,
    indices: Value<'g>,
    updates: Value<'g>,
    how: Option<&str>,
) -> Result<Value<'g>> {
    let (shape, at) = (x.shape(), indices.shape());
    let misfit = || {
        let found = format!("indices {at} and updates {} for {shape}", updates.shape());
        Error::shape("scatter", found, "a row of at most as many indices as axes for each update")
    };
    let Some((&depth, lead)) = at.split_last() else { return Err(misfit()) };
    if depth > shape.rank() {
        return Err(misfit());
    }
    let (named, rest) = shape.split_at(depth);
    let (count, rows) = (lead.iter().product::<usize>(), named.iter().product::<usize>());
    let inner: usize = rest.iter().product();
    let full: Shape = lead.iter().chain(rest).copied().collect();
    if updates.shape().broadcast(&full)? != full {
        return Err(misfit());
    }
    let updates = updates.broadcast(full).reshape([count, inner]);
    let row = row_numbers(indices.cast(DType::Int32).reshape([count, depth]), named);
    let flat = x.reshape([rows, inner]);
    let over = |kind| updates.segment_reduce(row, kind, rows);
    let y = match how {
        Some("add") if x.dtype() == DType::Bool => flat.binary("or", over(ReduceKind::Max)),
        Some("add") => flat + over(ReduceKind::Sum),
        Some("mul") => flat * over(ReduceKind::Prod),
        Some("max") => flat.binary("max", over(ReduceKind::Max)),
        Some("min") => flat.binary("min", over(ReduceKind::Min)),
        _ => {
            // The last update of a row counts.
            let order = x.graph().iota([count, 1], 0);
            let last = order.segment_reduce(row, ReduceKind::Max, rows).reshape([rows]);
            let hit = last.binary("ge", last.like(0.0)).reshape([rows, 1]);
            if count == 0 { flat } else { hit.select(updates.gather(last, 0), flat) }
        }
    };
    Ok(y.reshape(shape))
}

/// Linear numbers of the rows that index vectors `[count, depth]` name; −1 for those outside.
fn row_numbers<'g>(indices: Value<'g>, named: &[usize]) -> Value<'g> {
    let count = indices.extent(0);
    let graph = indices.graph();
    let mut number = graph.scalar(0.0, DType::Int32).broadcast([count]);
    let mut inside = graph.scalar(1.0, DType::Bool).broadcast([count]);
    for (axis, &extent) in named.iter().enumerate() {
        let at = indices.narrow(1, axis, 1).reshape([count]);
        let extent = extent as f64;
        let at = at.binary("lt", at.like(0.0)).select(at + extent, at);
        let fits = at.binary("ge", at.like(0.0)).binary("and", at.binary("lt", at.like(extent)));
        inside = inside.binary("and", fits);
        number = number * extent + at;
    }
    inside.select(number, number.like(-1.0))
}

/// Start positions of a slice, one per axis, clamped so that `size` elements follow each.
fn starts<'g>(c: &Call<'_, 'g>, shape: &Shape, size: &Shape) -> Result<Vec<Value<'g>>> {
    let list = match c.arg(1) {
        Some(Arg::List(items)) => items
            .iter()
            .map(|item| Ok(c.operand_of(item, 1)?.cast(c.cx, DType::Int32)))
            .collect::<Result<Vec<_>>>()?,
        _ => {
            let all = c.value(1)?.cast(DType::Int32);
            let n = all.shape().len();
            (0..n).map(|i| all.reshape([n]).narrow(0, i, 1).reshape([])).collect()
        }
    };
    let fits = list.len() == shape.rank()
        && size.rank() == shape.rank()
        && size.iter().zip(shape.iter()).all(|(n, d)| n <= d);
    if !fits || list.iter().any(|v| v.shape().len() != 1) {
        return Err(c.bad(1, &format!("a position for each axis of {shape}, room for {size}")));
    }
    let clamp = |(start, (&d, &n)): (Value<'g>, (&usize, &usize))| {
        let start = start.reshape([]);
        // As JAX reads them, negative starts count from the back.
        let start = start.binary("lt", start.like(0.0)).select(start + d as f64, start);
        start.binary("max", start.like(0.0)).binary("min", start.like((d - n) as f64))
    };
    Ok(list.into_iter().zip(shape.iter().zip(size.iter())).map(clamp).collect())
}

/// A slice that starts where tensors say.
pub(super) fn dynamic_slice<'g>(c: &Call<'_, 'g>, x: Value<'g>, size: &Shape) -> Result<Value<'g>> {
    let starts = starts(c, &x.shape(), size)?;
    let picked = starts.into_iter().enumerate().filter(|&(axis, _)| size[axis] < x.extent(axis));
    Ok(picked.fold(x, |x, (axis, start)| {
        let at = x.graph().iota([size[axis]], 0) + start;
        x.gather(at, axis)
    }))
}

fn slice_update<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.value(0)?;
    let updates = c.value(2)?.cast(x.dtype());
    let (shape, size) = (x.shape(), updates.shape());
    let starts = starts(c, &shape, &size)?;
    let mut y = updates;
    let mut inside = x.graph().scalar(1.0, DType::Bool).broadcast(shape.clone());
    for (axis, start) in starts.into_iter().enumerate() {
        let at = x.graph().iota([shape[axis]], 0) - start;
        let n = size[axis];
        if n == 0 {
            return Ok(x);
        }
        let fits = at.binary("ge", at.like(0.0)).binary("and", at.binary("lt", at.like(n as f64)));
        let mut line = vec![1; shape.rank()];
        line[axis] = shape[axis];
        inside = inside.binary("and", fits.reshape(line).broadcast(shape.clone()));
        y = y.gather(at, axis);
    }
    Ok(inside.select(y, x))
}

fn select<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let Some(Arg::List(conditions)) = c.arg(0) else {
        return Err(c.bad(0, "a list of conditions"));
    };
    let Some(Arg::List(choices)) = c.arg(1) else { return Err(c.bad(1, "a list of choices")) };
    if conditions.len() != choices.len() || choices.is_empty() {
        return Err(c.bad(1, "as many choices as conditions"));
    }
    let default = c.optional(2)?.unwrap_or(crate::operations::call::Operand::Int(0));
    let choices = choices.iter().map(|item| c.operand_of(item, 1)).collect::<Result<Vec<_>>>()?;
    let kinds: Vec<_> = choices.iter().chain([&default]).map(|o| o.kind()).collect();
    let dtype = result_type(&kinds);
    let mut y = default.cast(c.cx, dtype);
    for (condition, choice) in conditions.iter().zip(choices).rev() {
        let condition = c.operand_of(condition, 0)?.cast(c.cx, DType::Bool);
        y = condition.select(choice.cast(c.cx, dtype), y);
    }
    Ok(y)
}
