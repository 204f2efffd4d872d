//! `keras.ops.numpy`, over axes.

use crate::base::{DType, Error, Result, Shape};
use crate::graph::Value;
use crate::operations::call::Call;
use crate::operations::operations;

operations! {
    /// Functions that make axes disappear, and running sums.
    REDUCTIONS:
    Sum(x) { axis: null, keepdims: false } |c| reduce(c, counted(c.value(0)?), Value::sum);
    Prod(x) { axis: null, keepdims: false, dtype: null } |c| {
        let x = c.value(0)?;
        let x = c.dtype("dtype")?.map_or_else(|| counted(x), |dtype| x.cast(dtype));
        reduce(c, x, Value::prod)
    };
    Max(x) { axis: null, keepdims: false, initial: null } |c| extreme(c, "max", Value::max);
    Min(x) { axis: null, keepdims: false, initial: null } |c| extreme(c, "min", Value::min);
    Amax(x) { axis: null, keepdims: false } |c| reduce(c, c.value(0)?, Value::max);
    Amin(x) { axis: null, keepdims: false } |c| reduce(c, c.value(0)?, Value::min);
    Ptp(x) { axis: null, keepdims: false } |c| {
        let x = c.value(0)?;
        Ok(reduce(c, x, Value::max)? - reduce(c, x, Value::min)?)
    };
    Mean(x) { axis: null, keepdims: false } |c| {
        let x = c.float(0)?;
        Ok(reduce(c, wide(x), Value::mean)?.cast(x.dtype()))
    };
    Var(x) { axis: null, keepdims: false } |c| {
        let x = c.float(0)?;
        Ok(reduce(c, wide(x), variance)?.cast(x.dtype()))
    };
    Std(x) { axis: null, keepdims: false } |c| {
        let x = c.float(0)?;
        Ok(reduce(c, wide(x), variance)?.sqrt().cast(x.dtype()))
    };
    Average(x, weights) { axis: null } |c| average(c);
    Any(x) { axis: null, keepdims: false } |c| {
        reduce(c, c.value(0)?.cast(DType::Bool), Value::max)
    };
    All(x) { axis: null, keepdims: false } |c| {
        reduce(c, c.value(0)?.cast(DType::Bool), Value::min)
    };
    CountNonzero(x) { axis: null } |c| {
        let x = c.value(0)?.cast(DType::Bool).cast(DType::Int32);
        Ok(x.sum(&c.axes("axis", x.rank())?))
    };
    Argmax(x) { axis: null, keepdims: false } |c| arg_reduce(c, Value::argmax);
    Argmin(x) { axis: null, keepdims: false } |c| arg_reduce(c, Value::argmin);
    Nansum(x) { axis: null, keepdims: false } |c| {
        reduce(c, counted(without_nan(c.value(0)?, 0.0)), Value::sum)
    };
    Nanprod(x) { axis: null, keepdims: false } |c| {
        reduce(c, counted(without_nan(c.value(0)?, 1.0)), Value::prod)
    };
    Nanmax(x) { axis: null, keepdims: false } |c| nan_extreme(c, f64::NEG_INFINITY, Value::max);
    Nanmin(x) { axis: null, keepdims: false } |c| nan_extreme(c, f64::INFINITY, Value::min);
    Nanmean(x) { axis: null, keepdims: false } |c| {
        let x = c.float(0)?;
        Ok(reduce(c, wide(x), nan_mean)?.cast(x.dtype()))
    };
    Nanvar(x) { axis: null, keepdims: false } |c| {
        let x = c.float(0)?;
        Ok(reduce(c, wide(x), nan_variance)?.cast(x.dtype()))
    };
    Nanstd(x) { axis: null, keepdims: false } |c| {
        let x = c.float(0)?;
        Ok(reduce(c, wide(x), nan_variance)?.sqrt().cast(x.dtype()))
    };
    Cumsum(x) { axis: null, dtype: null } |c| running(c, c.value(0)?, 0.0, |a, b| a + b);
    Cumprod(x) { axis: null, dtype: null } |c| running(c, c.value(0)?, 1.0, |a, b| a * b);
    Nancumsum(x) { axis: null, dtype: null } |c| {
        running(c, without_nan(c.value(0)?, 0.0), 0.0, |a, b| a + b)
    };
    Nancumprod(x) { axis: null, dtype: null } |c| {
        running(c, without_nan(c.value(0)?, 1.0), 1.0, |a, b| a * b)
    };
    Nanargmax(x) { axis: null, keepdims: false } |c| {
        nan_arg_reduce(c, f64::NEG_INFINITY, Value::argmax)
    };
    Nanargmin(x) { axis: null, keepdims: false } |c| {
        nan_arg_reduce(c, f64::INFINITY, Value::argmin)
    };
    Trace(x) { offset: 0, axis1: 0, axis2: 1 } |c| trace(c);
}

/// Reduces over `axis`, and keeps the axes with extent 1 if `keepdims` says so.
pub(super) fn reduce<'g>(
    c: &Call<'_, 'g>,
    x: Value<'g>,
    f: impl Fn(Value<'g>, &[usize]) -> Value<'g>,
) -> Result<Value<'g>> {
    let shape = x.shape();
    let axes = c.axes("axis", shape.rank())?;
    let y = f(x, &axes);
    Ok(if c.config.bool("keepdims")? { y.keep_axes(&shape, &axes) } else { y })
}

/// Small integers and booleans in the 32 bits in which they are summed.
fn counted(x: Value<'_>) -> Value<'_> {
    match x.dtype() {
        DType::Bool | DType::Int8 | DType::Int16 => x.cast(DType::Int32),
        DType::UInt8 | DType::UInt16 => x.cast(DType::UInt32),
        _ => x,
    }
}

/// A float in at least 32 bits, in which means are computed.
fn wide(x: Value<'_>) -> Value<'_> {
    if x.dtype() == DType::Float64 { x } else { x.cast(DType::Float32) }
}

fn variance<'g>(x: Value<'g>, axes: &[usize]) -> Value<'g> {
    let shape = x.shape();
    (x - x.mean(axes).keep_axes(&shape, axes)).square().mean(axes)
}

fn without_nan(x: Value<'_>, fill: f64) -> Value<'_> {
    if x.dtype().is_float() { x.unary("isnan").select(x.like(fill), x) } else { x }
}

fn nan_mean<'g>(x: Value<'g>, axes: &[usize]) -> Value<'g> {
    let count = x.unary("isnan").unary("not").cast(x.dtype()).sum(axes);
    without_nan(x, 0.0).sum(axes) / count
}

fn nan_variance<'g>(x: Value<'g>, axes: &[usize]) -> Value<'g> {
    let shape = x.shape();
    nan_mean((x - nan_mean(x, axes).keep_axes(&shape, axes)).square(), axes)
}

fn nan_extreme<'g>(
    c: &Call<'_, 'g>,
    start: f64,
    f: impl Fn(Value<'g>, &[usize]) -> Value<'g>,
) -> Result<Value<'g>> {
    let x = c.value(0)?;
    if !x.dtype().is_float() {
        return reduce(c, x, f);
    }
    // All of nothing but NaN is NaN.
    reduce(c, x, |x, axes| {
        let nothing = x.unary("isnan").min(axes);
        let y = f(without_nan(x, start), axes);
        nothing.select(y.like(f64::NAN), y)
    })
}

fn extreme<'g>(
    c: &Call<'_, 'g>,
    name: &'static str,
    f: impl Fn(Value<'g>, &[usize]) -> Value<'g>,
) -> Result<Value<'g>> {
    let x = c.value(0)?;
    let y = reduce(c, x, f)?;
    let initial = c.config.optional_float("initial")?;
    Ok(initial.map_or(y, |initial| y.binary(name, y.scalar_like(initial))))
}

fn average<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let axes = |x: Value<'g>| c.axes("axis", x.rank());
    if c.arg(1).is_none() {
        let x = c.float(0)?;
        return Ok(wide(x).mean(&axes(x)?).cast(x.dtype()));
    }
    let (x, weights) = c.float_pair()?;
    let axes = axes(x)?;
    let weights = match (weights.rank(), axes.as_slice()) {
        (1, &[axis]) if x.rank() > 1 => {
            let mut extents = vec![1; x.rank()];
            extents[axis] = weights.extent(0);
            weights.reshape(extents)
        }
        _ => weights,
    };
    let weights = weights.broadcast(x.shape());
    Ok((x * weights).sum(&axes) / weights.sum(&axes))
}

fn arg_reduce<'g>(
    c: &Call<'_, 'g>,
    f: impl Fn(Value<'g>, usize) -> Value<'g>,
) -> Result<Value<'g>> {
    arg_reduce_of(c, c.value(0)?, f)
}

/// The position of the best number; −1 where there is none but NaN.
fn nan_arg_reduce<'g>(
    c: &Call<'_, 'g>,
    worst: f64,
    f: impl Fn(Value<'g>, usize) -> Value<'g>,
) -> Result<Value<'g>> {
    let x = c.value(0)?;
    let y = arg_reduce_of(c, without_nan(x, worst), f)?;
    if !x.dtype().is_float() {
        return Ok(y);
    }
    let nothing = reduce(c, x.unary("isnan"), Value::min)?;
    Ok(nothing.select(y.like(-1.0), y))
}

fn arg_reduce_of<'g>(
    c: &Call<'_, 'g>,
    x: Value<'g>,
    f: impl Fn(Value<'g>, usize) -> Value<'g>,
) -> Result<Value<'g>> {
    let (shape, keep) = (x.shape(), c.config.bool("keepdims")?);
    if c.config.is_null("axis") {
        let y = f(x.reshape([shape.len()]), 0);
        return Ok(if keep { y.reshape(vec![1; shape.rank()]) } else { y });
    }
    let axis = c.axis("axis", &shape)?;
    let y = f(x, axis);
    Ok(if keep { y.keep_axes(&shape, &[axis]) } else { y })
}

/// A running combination along one axis, or over all elements: after step k every element holds
/// that of the 2^k elements up to it.
fn running<'g>(
    c: &Call<'_, 'g>,
    x: Value<'g>,
    start: f64,
    f: impl Fn(Value<'g>, Value<'g>) -> Value<'g>,
) -> Result<Value<'g>> {
    let x = match c.dtype("dtype")? {
        Some(dtype) => x.cast(dtype),
        None if x.dtype() == DType::Bool => x.cast(DType::Int32),
        None => x,
    };
    let (y, axis) = if c.config.is_null("axis") {
        (x.reshape([x.shape().len()]), 0)
    } else {
        (x, c.axis("axis", &x.shape())?)
    };
    Ok(running_along(y, axis, start, f))
}

/// A running combination along an axis, by doubling.
pub(crate) fn running_along<'g>(
    mut y: Value<'g>,
    axis: usize,
    start: f64,
    f: impl Fn(Value<'g>, Value<'g>) -> Value<'g>,
) -> Value<'g> {
    let shape = y.shape();
    let (mut shift, none) = (1, vec![0; shape.rank()]);
    while shift < shape[axis] {
        let mut front = none.clone();
        front[axis] = shift;
        y = f(y, y.narrow(axis, 0, shape[axis] - shift).pad(&front, &none, start));
        shift *= 2;
    }
    y
}

fn trace<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = counted(c.value(0)?);
    let shape: Shape = x.shape();
    let (i, j) = (c.axis("axis1", &shape)?, c.axis("axis2", &shape)?);
    if i == j {
        return Err(Error::shape("trace", format!("axis {i} twice"), "two different axes"));
    }
    let diagonal = on_diagonal(x, (i, j), c.config.int("offset")?, "eq")?;
    Ok(diagonal.select(x, x.like(0.0)).sum(&[i.min(j), i.max(j)]))
}

/// Whether `column − row` compares with `offset` as `test` says, for rows and columns along two axes.
pub(super) fn on_diagonal<'g>(
    x: Value<'g>,
    (rows, columns): (usize, usize),
    offset: i64,
    test: &'static str,
) -> Result<Value<'g>> {
    let shape = x.shape();
    if i32::try_from(offset).is_err() {
        return Err(Error::shape("diagonal", format!("offset {offset}"), "an offset of 32 bits"));
    }
    let graph = x.graph();
    let distance = graph.iota(shape.clone(), columns) - graph.iota(shape, rows);
    Ok(distance.binary(test, distance.like(offset as f64)))
}
