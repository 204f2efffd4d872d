//! `keras.ops.numpy`, statistics.

use crate::base::{DType, Error, Result, Shape};
use crate::graph::Value;
use crate::graph::ops::ReduceKind;
use crate::layers::config::Json;
use crate::operations::call::{Call, Operand};
use crate::operations::operations;
use crate::operations::promotion::result_type;
use crate::operations::sorting::{search_sorted, sorted};

operations! {
    /// Quantiles, histograms, correlations.
    STATISTICS:
    Median(x) { axis: null, keepdims: false } |c| quantile(c, &Quantile::median(false));
    Nanmedian(x) { axis: null, keepdims: false } |c| quantile(c, &Quantile::median(true));
    Quantile(x, q) { axis: null, method: "linear", keepdims: false } |c| {
        quantile(c, &Quantile::from_call(c, 1.0, false)?)
    };
    Percentile(x, q) { axis: null, method: "linear", keepdims: false } |c| {
        quantile(c, &Quantile::from_call(c, 100.0, false)?)
    };
    Nanquantile(x, q) { axis: null, method: "linear", keepdims: false } |c| {
        quantile(c, &Quantile::from_call(c, 1.0, true)?)
    };
    Nanpercentile(x, q) { axis: null, method: "linear", keepdims: false } |c| {
        quantile(c, &Quantile::from_call(c, 100.0, true)?)
    };
    Corrcoef(x) |c| corrcoef(c);
    Correlate(x1, x2) { mode: "valid" } |c| correlate(c);
    Histogram(x) { bins: 10, range: null } |c| histogram(c);
    Bincount(x) { weights: null, minlength: 0, sparse: false } |c| bincount(c);
    Trapezoid(y) { x: null, dx: 1.0, axis: (-1) } |c| trapezoid(c);
}

/// How a quantile is read between two neighbours.
#[derive(Clone, Copy)]
enum Method {
    Linear,
    Lower,
    Higher,
    Midpoint,
    Nearest,
}

struct Quantile<'g> {
    /// Parts of the whole, a scalar or a row; one half where there are none.
    parts: Option<Value<'g>>,
    method: Method,
    skip_nan: bool,
}

impl<'g> Quantile<'g> {
    fn median(skip_nan: bool) -> Quantile<'g> {
        Quantile { parts: None, method: Method::Midpoint, skip_nan }
    }

    fn from_call(c: &Call<'_, 'g>, whole: f64, skip_nan: bool) -> Result<Quantile<'g>> {
        let methods = [
            ("linear", Method::Linear),
            ("lower", Method::Lower),
            ("higher", Method::Higher),
            ("midpoint", Method::Midpoint),
            ("nearest", Method::Nearest),
        ];
        let parts = c.operand(1)?.cast(c.cx, DType::Float32) / whole;
        if parts.rank() > 1 {
            return Err(c.bad(1, "a number or a row of numbers"));
        }
        Ok(Quantile { parts: Some(parts), method: c.config.choice("method", &methods)?, skip_nan })
    }
}

/// Quantiles over the axes, which stay with extent 1 if `keepdims` says so; a row of parts is the
/// first axis of the result.
fn quantile<'g>(c: &Call<'_, 'g>, how: &Quantile<'g>) -> Result<Value<'g>> {
    let x = c.float(0)?;
    let shape = x.shape();
    let axes = c.axes("axis", shape.rank())?;
    let kept: Vec<usize> = (0..shape.rank()).filter(|axis| !axes.contains(axis)).collect();
    let rows: usize = kept.iter().map(|&axis| shape[axis]).product();
    let n: usize = axes.iter().map(|&axis| shape[axis]).product();
    if n == 0 {
        return Err(c.bad(0, "elements to take a quantile of"));
    }
    let row = x.transpose(&[kept.as_slice(), axes.as_slice()].concat()).reshape([rows, n]);
    let half = c.cx.graph().scalar(0.5, DType::Float32);
    let parts = how.parts.unwrap_or(half);
    let count = parts.shape().len();
    let result = at_parts(row, parts.reshape([1, count]), how);
    // The parts come first.
    let extent = |(axis, &d): (usize, &usize)| match axes.contains(&axis) {
        true => c.config.bool("keepdims").ok().filter(|&keep| keep).map(|_| 1),
        false => Some(d),
    };
    let mut extents: Vec<usize> = shape.iter().enumerate().filter_map(extent).collect();
    c.config.bool("keepdims")?;
    if parts.rank() == 1 {
        extents.insert(0, count);
    }
    Ok(result.transpose(&[1, 0]).reshape(extents).cast(x.dtype()))
}

/// Quantiles `[rows, parts]` of rows `[rows, n]` for parts `[1, parts]`.
fn at_parts<'g>(x: Value<'g>, parts: Value<'g>, how: &Quantile<'g>) -> Value<'g> {
    let (rows, n, count) = (x.extent(0), x.extent(1), parts.extent(1));
    let row = sorted(x, 1).cast(DType::Float32);
    let last = if how.skip_nan {
        let numbers = x.unary("isnan").unary("not").cast(DType::Float32).sum(&[1]);
        numbers.reshape([rows, 1]) - 1.0
    } else {
        row.graph().scalar(n as f64 - 1.0, DType::Float32).broadcast([rows, 1])
    };
    let place = parts * last;
    let (low, high) = (place.unary("floor"), place.unary("ceil"));
    let weight = (place - low).broadcast([rows, count]);
    let pick = |at: Value<'g>| {
        let at = at.minimum(last).maximum(last.like(0.0).broadcast(at.shape()));
        row.take_along(at.cast(DType::Int32).broadcast([rows, count]), 1)
    };
    let (low, high) = (pick(low), pick(high));
    let y = match how.method {
        Method::Linear => low * (-weight + 1.0) + high * weight,
        Method::Lower => low,
        Method::Higher => high,
        Method::Nearest => weight.binary("le", weight.like(0.5)).select(low, high),
        Method::Midpoint => (low + high) * 0.5,
    };
    if how.skip_nan || !x.dtype().is_float() {
        return y;
    }
    // One NaN makes all quantiles of its row NaN; it is the last element.
    let nan = row.narrow(1, n - 1, 1).unary("isnan").broadcast([rows, count]);
    nan.select(y.like(f64::NAN), y)
}

fn corrcoef<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.float(0)?;
    let wide = x.cast(DType::Float32);
    let wide = match x.rank() {
        1 => wide.reshape([1, x.extent(0)]),
        2 => wide,
        _ => return Err(c.bad(0, "one or two axes")),
    };
    let (rows, n) = (wide.extent(0), wide.extent(1));
    let centered = wide - wide.mean(&[1]).reshape([rows, 1]);
    let cov = product(centered) / (n as f64 - 1.0);
    if rows == 1 {
        // One, but NaN where the variance is zero or no number.
        let variance = cov.reshape([]);
        let some = variance.binary("gt", variance.like(0.0));
        let some = some.binary("and", variance.unary("isfinite"));
        return Ok(some.select(variance.like(1.0), variance.like(f64::NAN)).cast(x.dtype()));
    }
    let on_diagonal = super::reductions::on_diagonal(cov, (0, 1), 0, "eq")?;
    let deviation = on_diagonal.select(cov, cov.like(0.0)).sum(&[1]).sqrt();
    let r = cov / deviation.reshape([rows, 1]) / deviation.reshape([1, rows]);
    Ok(r.maximum(r.like(-1.0)).minimum(r.like(1.0)).cast(x.dtype()))
}

/// Each row's products with all rows, summed.
fn product(x: Value<'_>) -> Value<'_> {
    let (rows, n) = (x.extent(0), x.extent(1));
    let x = x.reshape([1, rows, n]);
    x.matmul_flags(x, false, true).reshape([rows, rows])
}

/// Sums of products of a row with another, shifted: one for each shift, as a gather of the longer one.
fn correlate<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let (a, b) = c.float_pair()?;
    let (&[m], &[n]) = (a.shape().as_slice(), b.shape().as_slice()) else {
        return Err(c.bad(0, "two rows"));
    };
    if m == 0 || n == 0 {
        return Err(c.bad(0, "rows that are not empty"));
    }
    let (long, short, turned) = if m < n { (b, a, true) } else { (a, b, false) };
    let (m, n) = (m.max(n), m.min(n));
    let (low, high) = match c.config.str("mode")? {
        "valid" => (0, 0),
        "same" => (n / 2, n - n / 2 - 1),
        "full" => (n - 1, n - 1),
        _ => return Err(c.config.bad("mode", "\"valid\", \"same\" or \"full\"")),
    };
    let count = m + low + high - n + 1;
    let graph = c.cx.graph();
    let at = graph.iota([count, n], 0) + graph.iota([count, n], 1);
    let padded = long.cast(DType::Float32).pad(&[low], &[high], 0.0);
    let y = (padded.gather(at, 0) * short.cast(DType::Float32)).sum(&[1]).cast(a.dtype());
    Ok(if turned { y.reverse(&[0]) } else { y })
}

fn histogram<'g>(c: &Call<'_, 'g>) -> Result<Vec<Value<'g>>> {
    let x = c.float(0)?;
    let dtype = x.dtype();
    let x = x.reshape([x.shape().len()]);
    let graph = c.cx.graph();
    let edges = match c.config.get("bins") {
        Json::Number(_) => {
            let bins = c.config.size("bins")?;
            let (low, high) = match c.config.is_null("range") {
                true if x.extent(0) == 0 => return Err(c.bad(0, "elements, or a range")),
                true => (x.min(&[0]), x.max(&[0])),
                false => {
                    let range = crate::layers::numbers::numbers(c.config, "range")?;
                    let ends: Vec<f64> = range.iter_f64().collect();
                    let &[low, high] = ends.as_slice() else {
                        return Err(c.config.bad("range", "two numbers"));
                    };
                    (graph.scalar(low, dtype), graph.scalar(high, dtype))
                }
            };
            let equal = low.binary("eq", high);
            let (low, high) = (equal.select(low - 0.5, low), equal.select(high + 0.5, high));
            let at = graph.iota([bins + 1], 0);
            let part = at.cast(DType::Float32) / bins as f64;
            let row = low * (-part.cast(dtype) + 1.0) + high * part.cast(dtype);
            at.binary("eq", at.like(bins as f64)).select(high, row)
        }
        _ => {
            let edges = crate::layers::numbers::numbers(c.config, "bins")?;
            graph.constant(edges.cast(dtype))
        }
    };
    let bins = match edges.shape().as_slice() {
        &[n] if n > 1 => n - 1,
        _ => return Err(c.config.bad("bins", "a count or a row of edges")),
    };
    let at = search_sorted(edges, x, true)?;
    let last = edges.narrow(0, bins, 1);
    let at = x.binary("eq", last).select(at.like(bins as f64), at) - 1.0;
    let ones = x.like(1.0).reshape([x.extent(0), 1]);
    let counts = ones.segment_reduce(at, ReduceKind::Sum, bins).reshape([bins]);
    Ok(vec![counts, edges])
}

/// Counts of each number; how many there are depends on the largest, which must be known.
fn bincount<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    if c.config.bool("sparse")? {
        return Err(Error::Unsupported("sparse tensors".into()));
    }
    let x = c.value(0)?;
    let known = c.known(0)?.ok_or_else(|| {
        let what = "bincount of a tensor: how many counts it gives depends on the data";
        Error::Unsupported(what.into())
    })?;
    let least = usize::try_from(c.config.int("minlength")?)
        .map_err(|_| c.config.bad("minlength", "a count"))?;
    let shape = x.shape();
    let [rows, len] = match *shape.as_slice() {
        [len] => [1, len],
        [rows, len] => [rows, len],
        _ => return Err(c.bad(0, "a row of numbers, or several")),
    };
    let numbers: Vec<f64> = known.iter_f64().collect();
    let counts = |row: usize| {
        let largest = numbers[row * len..(row + 1) * len].iter().copied().fold(-1.0, f64::max);
        ((largest + 1.0).max(1.0) as usize).max(least)
    };
    let n = if rows == 0 { least } else { counts(0) };
    if (0..rows).any(|row| counts(row) != n) {
        return Err(c.bad(0, "rows whose largest numbers are the same, or a larger minlength"));
    }
    let weights = match c.config.is_null("weights") {
        true => c.cx.graph().scalar(1.0, DType::Int32).broadcast(x.shape()),
        false => {
            let weights =
                c.operand_of(&crate::layers::Arg::Plain(c.config.get("weights").clone()), 0)?;
            weights.cast(c.cx, result_type(&[weights.kind()]))
        }
    };
    if weights.shape() != x.shape() {
        return Err(c
            .config
            .bad("weights", &format!("a weight for each element of {}", x.shape())));
    }
    // JAX counts negative numbers as zeros.
    let x = x.cast(DType::Int32);
    let row = c.cx.graph().iota([rows, 1], 0) * n as f64;
    let at = (x.binary("max", x.like(0.0)).reshape([rows, len]) + row).reshape([rows * len]);
    let sums = weights.reshape([rows * len, 1]).segment_reduce(at, ReduceKind::Sum, rows * n);
    let counted: Shape = shape[..shape.rank() - 1].iter().copied().chain([n]).collect();
    Ok(sums.reshape(counted))
}

fn trapezoid<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let mut kinds = vec![c.operand(0)?.kind(), super::promotion::Kind::WeakFloat];
    let argument = |key: &str| -> Result<Operand<'g>> {
        c.operand_of(&crate::layers::Arg::Plain(c.config.get(key).clone()), 0)
    };
    let x = if c.config.is_null("x") { None } else { Some(argument("x")?) };
    kinds.extend(x.map(Operand::kind));
    let dtype = result_type(&kinds);
    let y = c.operand(0)?.cast(c.cx, dtype);
    let axis = c.axis("axis", &y.shape())?;
    let n = y.extent(axis);
    if n == 0 {
        return Ok(y.sum(&[axis]));
    }
    let ends = (y.narrow(axis, 0, n - 1) + y.narrow(axis, 1, n - 1)) * 0.5;
    let widths = match x {
        None => argument("dx")?.cast(c.cx, dtype),
        Some(x) => {
            let x = x.cast(c.cx, dtype);
            let (x, along) = match x.rank() {
                1 => {
                    let mut line = vec![1; y.rank()];
                    line[axis] = x.extent(0);
                    (x.reshape(line), axis)
                }
                rank => (x, (axis + rank).saturating_sub(y.rank())),
            };
            let steps = x.extent(along).saturating_sub(1);
            x.narrow(along, 1, steps) - x.narrow(along, 0, steps)
        }
    };
    Ok((ends * widths).sum(&[axis]))
}
