//! `keras.ops.numpy`, sums of products.

use crate::base::{DType, Error, Result, Shape};
use crate::graph::Value;
use crate::graph::einsum::einsum;
use crate::layers::config::Json;
use crate::operations::call::{Call, Operand};
use crate::operations::operations;
use crate::operations::promotion::{Kind, result_type};

operations! {
    /// Products of vectors, matrices and more.
    LINEAR:
    Matmul(x1, x2) |c| {
        let result = product_type(&[c.operand(0)?.kind(), c.operand(1)?.kind()]);
        let (a, b) = c.pair()?;
        let dtype = lane_of(a.dtype());
        Ok(matmul(a.cast(dtype), b.cast(dtype))?.cast(result))
    };
    Dot(x1, x2) |c| with_floats(c, dot);
    Inner(x1, x2) |c| with_floats(c, |a, b| match (a.rank(), b.rank()) {
        (0, _) | (_, 0) => Ok(a * b),
        (m, n) => Ok(tensordot(a, &[m - 1], b, &[n - 1])),
    });
    Vdot(x1, x2) |c| with_floats(c, |a, b| {
        let flat = |v: Value<'_>| [v.shape().len()];
        dot(a.reshape(flat(a)), b.reshape(flat(b)))
    });
    Outer(x1, x2) |c| {
        let (a, b) = c.pair()?;
        Ok(a.reshape([a.shape().len(), 1]) * b.reshape([1, b.shape().len()]))
    };
    Tensordot(x1, x2) { axes: 2 } |c| {
        let axes = c.config.get("axes").clone();
        with_floats(c, |a, b| {
            let (i, j) = tensordot_axes(&axes, a, b).ok_or_else(|| {
                c.config.bad("axes", "a count, or two lists of axes of equal extents")
            })?;
            Ok(tensordot(a, &i, b, &j))
        })
    };
    Einsum(operands) { subscripts: null } |c| {
        // Every positional argument is one of the operands.
        let operands = c.args.positional.iter().map(|arg| c.operand_of(arg, 0));
        let operands: Vec<Operand<'_>> = operands.collect::<Result<_>>()?;
        let kinds: Vec<_> = operands.iter().map(|o| o.kind()).collect();
        let result = product_type(&kinds);
        let floats = lane_of(result);
        let operands: Vec<Value<'_>> = operands.into_iter().map(|o| o.cast(c.cx, floats)).collect();
        Ok(einsum(c.config.str("subscripts")?, &operands)?.cast(result))
    };
}

/// The dtype in which products of a dtype are computed: for integers, and exact below 2²⁴, float32.
pub(crate) fn lane_of(dtype: DType) -> DType {
    if dtype.is_float() || dtype == DType::Complex64 { dtype } else { DType::Float32 }
}

/// The dtype of a matrix product: that of its operands, but int32 where all are int8, as Keras has it of
/// `matmul` and `einsum` alone.
fn product_type(kinds: &[Kind]) -> DType {
    match kinds.iter().all(|kind| matches!(kind, Kind::Strong(DType::Int8))) {
        true => DType::Int32,
        false => result_type(kinds),
    }
}

/// Runs `f` on both arguments as floats and gives its result in their own dtype.
fn with_floats<'g>(
    c: &Call<'_, 'g>,
    f: impl FnOnce(Value<'g>, Value<'g>) -> Result<Value<'g>>,
) -> Result<Value<'g>> {
    let (a, b) = c.pair()?;
    let (result, dtype) = (a.dtype(), lane_of(a.dtype()));
    Ok(f(a.cast(dtype), b.cast(dtype))?.cast(result))
}

/// NumPy's `matmul`: the last two axes multiply, the others broadcast.
pub(crate) fn matmul<'g>(a: Value<'g>, b: Value<'g>) -> Result<Value<'g>> {
    let (sa, sb) = (a.shape(), b.shape());
    let misfit = || {
        let expected = "at least one axis each, and inner extents that agree";
        Error::shape("matmul", format!("{sa} and {sb}"), expected)
    };
    if sa.rank() == 0 || sb.rank() == 0 {
        return Err(misfit());
    }
    let rows = if sa.rank() == 1 { a.reshape([1, sa[0]]) } else { a };
    let columns = if sb.rank() == 1 { b.reshape([sb[0], 1]) } else { b };
    let (ra, rb) = (rows.shape(), columns.shape());
    let split = |s: &Shape| (Shape::from(&s[..s.rank() - 2]), s[s.rank() - 2], s[s.rank() - 1]);
    let ((lead_a, m, k), (lead_b, inner, n)) = (split(&ra), split(&rb));
    if k != inner {
        return Err(misfit());
    }
    let lead = lead_a.broadcast(&lead_b)?;
    // A batch that one side lacks is shared, not copied.
    let batched = |v: Value<'g>, own: &Shape, x: usize, y: usize| {
        if own.len() == 1 {
            v.reshape([1, x, y])
        } else {
            let full: Shape = lead.iter().copied().chain([x, y]).collect();
            v.broadcast(full).reshape([lead.len(), x, y])
        }
    };
    let y = batched(rows, &lead_a, m, k).matmul(batched(columns, &lead_b, inner, n));
    let kept = [(m, sa.rank() > 1), (n, sb.rank() > 1)];
    let kept = kept.into_iter().filter(|(_, kept)| *kept).map(|(extent, _)| extent);
    Ok(y.reshape(lead.iter().copied().chain(kept).collect::<Shape>()))
}

/// NumPy's `dot`: the last axis of the first with the second to last of the other.
fn dot<'g>(a: Value<'g>, b: Value<'g>) -> Result<Value<'g>> {
    match (a.rank(), b.rank()) {
        (0, _) | (_, 0) => Ok(a * b),
        (m, 1) => Ok(tensordot(a, &[m - 1], b, &[0])),
        (m, n) => Ok(tensordot(a, &[m - 1], b, &[n - 2])),
    }
}

/// Sum of products over pairs of axes.
fn tensordot<'g>(a: Value<'g>, i: &[usize], b: Value<'g>, j: &[usize]) -> Value<'g> {
    let (sa, sb) = (a.shape(), b.shape());
    let free = |shape: &Shape, used: &[usize]| -> Vec<usize> {
        (0..shape.rank()).filter(|axis| !used.contains(axis)).collect()
    };
    let extents =
        |shape: &Shape, axes: &[usize]| -> Shape { axes.iter().map(|&x| shape[x]).collect() };
    let (rows, columns) = (free(&sa, i), free(&sb, j));
    let (m, n) = (extents(&sa, &rows), extents(&sb, &columns));
    let x = a.transpose(&[&rows, i].concat()).reshape([1, m.len(), extents(&sa, i).len()]);
    let y = b.transpose(&[j, &columns].concat()).reshape([1, extents(&sb, j).len(), n.len()]);
    x.matmul(y).reshape(m.iter().chain(n.iter()).copied().collect::<Shape>())
}

/// The pairs of axes that `axes` names, checked against the operands.
fn tensordot_axes(axes: &Json, a: Value<'_>, b: Value<'_>) -> Option<(Vec<usize>, Vec<usize>)> {
    let (sa, sb) = (a.shape(), b.shape());
    let list = |json: &Json, shape: &Shape| -> Option<Vec<usize>> {
        let items = json.as_array().cloned().unwrap_or_else(|| vec![json.clone()]);
        items.iter().map(|axis| shape.axis(axis.as_i64()?).ok()).collect()
    };
    let (i, j) = match axes {
        Json::Array(pair) => match pair.as_slice() {
            [i, j] => (list(i, &sa)?, list(j, &sb)?),
            _ => return None,
        },
        count => {
            let count = usize::try_from(count.as_u64()?).ok()?;
            let first = sa.rank().checked_sub(count)?;
            ((first..sa.rank()).collect(), (0..count).collect())
        }
    };
    let distinct = |axes: &[usize]| (1..axes.len()).all(|k| !axes[..k].contains(&axes[k]));
    let agree = i.len() == j.len()
        && j.iter().all(|&axis| axis < sb.rank())
        && i.iter().zip(&j).all(|(&i, &j)| sa[i] == sb[j]);
    (agree && distinct(&i) && distinct(&j)).then_some((i, j))
}
