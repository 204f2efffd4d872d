//! `keras.ops`, that make tensors of numbers.

use std::f64::consts::PI;

use crate::base::{DType, Error, Result, Shape};
use crate::graph::{Value, math};
use crate::layers::config::Json;
use crate::operations::call::{Call, Operand};
use crate::operations::operations;
use crate::operations::promotion::{Kind, result_type};
use crate::tensor::Tensor;

operations! {
    /// Rows of numbers, in `keras.ops.numpy`.
    CREATION:
    Arange(start, stop, step) { dtype: null } |c| arange(c);
    Array(x) { dtype: null } |c| {
        let x = c.value(0)?;
        Ok(c.dtype("dtype")?.map_or(x, |dtype| x.cast(dtype)))
    };
    Full(fill_value) { shape: null, dtype: null } |c| {
        let dtype = c.dtype("dtype")?.unwrap_or(DType::Float32);
        Ok(c.value(0)?.cast(dtype).broadcast(shape(c, "shape")?))
    };
    Linspace(start, stop)
        { num: 50, endpoint: true, retstep: false, dtype: null, axis: 0 } |c| {
        let (row, step) = linspace(c)?;
        Ok(if c.config.bool("retstep")? { vec![row, step] } else { vec![row] })
    };
    Logspace(start, stop)
        { num: 50, endpoint: true, base: 10, dtype: null, axis: 0 } |c| {
        let base = c.config.float("base")?;
        let dtype = row_dtype(c)?;
        // JAX rounds every step to the dtype that is asked for.
        let float = floating(dtype);
        let (a, b) = (c.operand(0)?.cast(c.cx, float), c.operand(1)?.cast(c.cx, float));
        let row = spaced(c, a, b)?;
        Ok(row.like(base).binary("pow", row).cast(dtype))
    };
    Meshgrid(x) { indexing: "xy" } |c| meshgrid(c);
    Geomspace(start, stop) { num: 50, endpoint: true, dtype: null, axis: 0 } |c| {
        let dtype = row_dtype(c)?;
        // JAX rounds every step to the dtype that is asked for.
        let float = floating(dtype);
        let (a, b) = (c.operand(0)?.cast(c.cx, float), c.operand(1)?.cast(c.cx, float));
        let sign = a.unary("sign");
        let row = spaced(c, log10(a / sign), log10(b / sign))?;
        let axis = crate::base::shape::normalize_axis(c.config.int("axis")?, row.rank())?;
        let mut extents = sign.broadcast(a.shape().broadcast(&b.shape())?).shape().to_vec();
        extents.insert(axis, 1);
        let sign = sign.broadcast(a.shape().broadcast(&b.shape())?).reshape(extents);
        Ok((row.like(10.0).binary("pow", row) * sign).cast(dtype))
    };
}

operations! {
    /// Functions of plain numbers: Keras gives arrays at once, so files never hold them as nodes.
    FUNCTIONS:
    Zeros(shape) { dtype: null } |c| constant(c, 0.0);
    Ones(shape) { dtype: null } |c| constant(c, 1.0);
    Empty(shape) { dtype: null } |c| constant(c, 0.0);
    Eye(N, M, k) { dtype: null } |c| band(c, "eq");
    Identity(n) { dtype: null } |c| band(c, "eq");
    Tri(N, M, k) { dtype: null } |c| band(c, "le");
    Bartlett(x) |c| window(c, |i, n| 1.0 - (2.0 * i / n - 1.0).abs());
    Blackman(x) |c| window(c, |i, n| {
        0.42 - 0.5 * (2.0 * PI * i / n).cos() + 0.08 * (4.0 * PI * i / n).cos()
    });
    Hamming(x) |c| window(c, |i, n| 0.54 - 0.46 * (2.0 * PI * i / n).cos());
    Hanning(x) |c| window(c, |i, n| 0.5 - 0.5 * (2.0 * PI * i / n).cos());
    Kaiser(x, beta) |c| {
        let beta = number(c, 1)?;
        window(c, |i, n| {
            math::i0(beta * (1.0 - (2.0 * i / n - 1.0).powi(2)).max(0.0).sqrt()) / math::i0(beta)
        })
    };
    ConvertToNumpy(x) |c| c.value(0);
    Shape(x) |c| {
        let scalar = |&n: &usize| c.cx.graph().scalar(n as f64, DType::Int32);
        Ok(c.value(0)?.shape().iter().map(scalar).collect::<Vec<_>>())
    };
}

/// Extents under a key of the config.
fn shape(c: &Call<'_, '_>, key: &str) -> Result<Shape> {
    let extent = |n: i64| usize::try_from(n).map_err(|_| c.config.bad(key, "extents"));
    c.config.ints(key)?.into_iter().map(extent).collect::<Result<Vec<_>>>().map(Shape::from)
}

fn log10(x: Value<'_>) -> Value<'_> {
    x.log() * std::f64::consts::LOG10_E
}

/// A number that is known while tracing.
fn number(c: &Call<'_, '_>, position: usize) -> Result<f64> {
    let bad = || c.bad(position, "a number that is known when the model is traced");
    let known = c.known(position)?.filter(|tensor| tensor.len() == 1).ok_or_else(bad)?;
    known.iter_f64().next().ok_or_else(bad)
}

/// A count that is known while tracing.
fn count(c: &Call<'_, '_>, position: usize) -> Result<usize> {
    let n = number(c, position)?;
    let whole = (0.0..=f64::from(u32::MAX)).contains(&n) && n.fract() == 0.0;
    if whole { Ok(n as usize) } else { Err(c.bad(position, "a count")) }
}

fn constant<'g>(c: &Call<'_, 'g>, value: f64) -> Result<Value<'g>> {
    let extents = c.known(0)?.ok_or_else(|| c.bad(0, "extents"))?;
    let extent = |x: f64| {
        let whole = (0.0..=f64::from(u32::MAX)).contains(&x) && x.fract() == 0.0;
        if whole { Ok(x as usize) } else { Err(c.bad(0, "extents")) }
    };
    let shape: Shape = extents.iter_f64().map(extent).collect::<Result<Vec<_>>>()?.into();
    let dtype = c.dtype("dtype")?.unwrap_or(DType::Float32);
    Ok(c.cx.graph().scalar(value, dtype).broadcast(shape))
}

/// Ones where the column less the row compares with `k` as `test` says.
fn band<'g>(c: &Call<'_, 'g>, test: &'static str) -> Result<Value<'g>> {
    let rows = count(c, 0)?;
    let columns = if c.arg(1).is_some() { count(c, 1)? } else { rows };
    let offset = if c.arg(2).is_some() { number(c, 2)? } else { 0.0 };
    let graph = c.cx.graph();
    let distance = graph.iota([rows, columns], 1) - graph.iota([rows, columns], 0);
    let dtype = c.dtype("dtype")?.unwrap_or(DType::Float32);
    Ok(distance.binary(test, distance.like(offset)).cast(dtype))
}

/// A window of `x` numbers: `f` of each index and of the last one.
fn window<'g>(c: &Call<'_, 'g>, f: impl Fn(f64, f64) -> f64) -> Result<Value<'g>> {
    let n = count(c, 0)?;
    if n > MAX_WINDOW {
        return Err(c.bad(0, &format!("a window of at most {MAX_WINDOW} numbers")));
    }
    let at = |i: usize| if n == 1 { 1.0 } else { f(i as f64, n as f64 - 1.0) };
    let values: Vec<f64> = (0..n).map(at).collect();
    Ok(c.cx.graph().constant(Tensor::new([n], &values)?.cast(DType::Float32)))
}

/// The longest window that is made while tracing.
const MAX_WINDOW: usize = 1 << 24;

fn arange<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let kind =
        |position: usize| -> Result<Option<Kind>> { Ok(c.optional(position)?.map(Operand::kind)) };
    let kinds: Vec<Kind> = [kind(0)?, kind(1)?, kind(2)?].into_iter().flatten().collect();
    let dtype = c.dtype("dtype")?.unwrap_or_else(|| result_type(&kinds));
    let (start, stop) = match c.arg(1) {
        None => (0.0, number(c, 0)?),
        Some(_) => (number(c, 0)?, number(c, 1)?),
    };
    let step = if c.arg(2).is_some() { number(c, 2)? } else { 1.0 };
    let n = ((stop - start) / step).ceil();
    if !n.is_finite() || n > f64::from(i32::MAX) {
        return Err(c.bad(2, "a step that reaches the end"));
    }
    let row = c.cx.graph().iota([n.max(0.0) as usize], 0);
    let whole = [start, step].iter().all(|x| x.fract() == 0.0);
    if whole {
        return Ok((row * step + start).cast(dtype));
    }
    Ok((row.cast(DType::Float32) * step + start).cast(dtype))
}

fn row_dtype(c: &Call<'_, '_>) -> Result<DType> {
    let kinds = [c.operand(0)?.kind(), c.operand(1)?.kind(), Kind::WeakFloat];
    Ok(c.dtype("dtype")?.unwrap_or_else(|| result_type(&kinds)))
}

/// The dtype in which a row of a dtype is computed.
fn floating(dtype: DType) -> DType {
    if dtype.is_float() { dtype } else { DType::Float32 }
}

/// `num` numbers from `a` to `b` along a new axis.
fn spaced<'g>(c: &Call<'_, 'g>, a: Value<'g>, b: Value<'g>) -> Result<Value<'g>> {
    let bounds = a.shape().broadcast(&b.shape())?;
    let n = c.config.int("num")?;
    let n = usize::try_from(n).ok().filter(|&n| n <= i32::MAX as usize);
    let n = n.ok_or_else(|| c.config.bad("num", "a count"))?;
    let axis = crate::base::shape::normalize_axis(c.config.int("axis")?, bounds.rank() + 1)?;
    let mut extents = bounds.to_vec();
    extents.insert(axis, 1);
    let [a, b] = [a, b].map(|v| v.broadcast(bounds.clone()).reshape(extents.clone()));
    let endpoint = c.config.bool("endpoint")?;
    let steps = if endpoint { n.saturating_sub(1) } else { n };
    extents[axis] = n;
    if n < 2 {
        return Ok(a.broadcast(extents));
    }
    let mut line = vec![1; extents.len()];
    line[axis] = n;
    let at = c.cx.graph().iota(line, axis);
    let part = at.cast(DType::Float32) / steps as f64;
    let part = part.cast(a.dtype());
    let inside = a * (-part + 1.0) + b * part;
    // The end itself, without a rounding.
    let end = at.binary("eq", at.like(if endpoint { steps as f64 } else { -1.0 }));
    Ok(end.select(b, inside))
}

/// The row and the distance of its numbers.
fn linspace<'g>(c: &Call<'_, 'g>) -> Result<(Value<'g>, Value<'g>)> {
    let dtype = row_dtype(c)?;
    let float = floating(dtype);
    let (a, b) = (c.operand(0)?.cast(c.cx, float), c.operand(1)?.cast(c.cx, float));
    let row = spaced(c, a, b)?;
    let n = c.config.int("num")?;
    let endpoint = c.config.bool("endpoint")?;
    let step = match (n, endpoint) {
        (0, _) | (1, true) => c.cx.graph().scalar(f64::NAN, float),
        (1, false) => b - a,
        _ => (b - a) / (if endpoint { n - 1 } else { n }) as f64,
    };
    Ok((if dtype.is_float() { row } else { row.unary("floor") }.cast(dtype), step))
}

/// Tensors whose one axis each spans the grid.
fn meshgrid<'g>(c: &Call<'_, 'g>) -> Result<Vec<Value<'g>>> {
    let rows: Vec<Value<'g>> = (0..c.args.positional.len())
        .map(|i| {
            let row = c.operand_of(&c.args.positional[i], 0)?;
            let row = row.cast(c.cx, result_type(&[row.kind()]));
            Ok(row.reshape([row.shape().len()]))
        })
        .collect::<Result<_>>()?;
    let swapped = match c.config.get("indexing") {
        Json::String(text) if text == "xy" => rows.len() > 1,
        Json::String(text) if text == "ij" => false,
        _ => return Err(c.config.bad("indexing", "\"xy\" or \"ij\"")),
    };
    let axis = |i: usize| if swapped && i < 2 { 1 - i } else { i };
    let mut extents = vec![1; rows.len()];
    rows.iter().enumerate().for_each(|(i, row)| extents[axis(i)] = row.extent(0));
    let spread = |(i, row): (usize, &Value<'g>)| {
        let mut line = vec![1; rows.len()];
        line[axis(i)] = row.extent(0);
        row.reshape(line).broadcast(extents.clone())
    };
    if rows.is_empty() {
        return Err(Error::shape("meshgrid", "no arguments", "at least one tensor"));
    }
    Ok(rows.iter().enumerate().map(spread).collect())
}
