//! `keras.ops.norm`.

use crate::base::{Result, Shape};
use crate::graph::Value;
use crate::layers::config::Json;
use crate::operations::call::Call;
use crate::operations::operations;

operations! {
    /// Norms of vectors and matrices, in `keras.ops.linalg`.
    NORM:
    Norm(x) { ord: null, axis: null, keepdims: false } |c| norm(c);
}

fn norm<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.float(0)?;
    let axes = axes(c, &x.shape())?;
    let kept = kept_norm(c, x, &axes)?;
    if c.config.bool("keepdims")? {
        return Ok(kept);
    }
    let shape = kept.shape();
    let left = (0..shape.rank()).filter(|i| !axes.contains(i)).map(|i| shape[i]);
    Ok(kept.reshape(left.collect::<Shape>()))
}

/// The axes in the order in which they are given; all where none are.
fn axes(c: &Call<'_, '_>, shape: &Shape) -> Result<Vec<usize>> {
    if c.config.is_null("axis") {
        return Ok((0..shape.rank()).collect());
    }
    let axes = c.config.ints("axis")?.into_iter().map(|axis| shape.axis(axis));
    let axes = axes.collect::<Result<Vec<usize>>>()?;
    let distinct = (1..axes.len()).all(|i| !axes[..i].contains(&axes[i]));
    if distinct { Ok(axes) } else { Err(c.config.bad("axis", "different axes")) }
}

/// The norm over the axes, which stay with extent 1.
fn kept_norm<'g>(c: &Call<'_, 'g>, x: Value<'g>, axes: &[usize]) -> Result<Value<'g>> {
    let length = || x.square().sum(axes).keep_axes(&x.shape(), axes).sqrt();
    match (axes, order(c)?) {
        (&[_] | &[_, _], Order::Length) => Ok(length()),
        (_, Order::Length) if c.config.is_null("axis") => Ok(length()),
        (&[axis], Order::Number(ord)) => Ok(of_vectors(x, axis, ord)),
        (&[_, _], Order::Frobenius) => Ok(length()),
        (&[row, column], ord) => of_matrices(c, x, [row, column], &ord),
        (&[_], _) => Err(c.config.bad("ord", "null or a number, for vectors")),
        _ => Err(c.config.bad("axis", "one axis of vectors or two of matrices")),
    }
}

/// What `ord` says.
enum Order {
    /// Null: the root of the sum of squares.
    Length,
    Frobenius,
    /// The sum of the singular values.
    Nuclear,
    Number(f64),
}

fn order(c: &Call<'_, '_>) -> Result<Order> {
    match c.config.get("ord") {
        Json::Null => Ok(Order::Length),
        Json::String(_) => Ok(if c.config.choice("ord", &[("fro", true), ("nuc", false)])? {
            Order::Frobenius
        } else {
            Order::Nuclear
        }),
        _ => c.config.float("ord").map(Order::Number),
    }
}

fn of_vectors(x: Value<'_>, axis: usize, ord: f64) -> Value<'_> {
    let (shape, size, axes) = (x.shape(), x.abs(), [axis]);
    let total = match ord {
        2.0 => x.square().sum(&axes).sqrt(),
        f64::INFINITY => size.max(&axes),
        f64::NEG_INFINITY => size.min(&axes),
        0.0 => x.binary("ne", x.like(0.0)).cast(x.dtype()).sum(&axes),
        1.0 => size.sum(&axes),
        ord => {
            let sum = size.binary("pow", size.like(ord)).sum(&axes);
            sum.binary("pow", sum.like(1.0 / ord))
        }
    };
    total.keep_axes(&shape, &axes)
}

fn of_matrices<'g>(
    c: &Call<'_, 'g>,
    x: Value<'g>,
    [row, column]: [usize; 2],
    ord: &Order,
) -> Result<Value<'g>> {
    let shape = x.shape();
    // Sums along one axis, and the largest or smallest of them along the other.
    let over = |x: Value<'g>, axis: usize| x.sum(&[axis]).keep_axes(&shape, &[axis]);
    let high = |x: Value<'g>, axis: usize| x.max(&[axis]).keep_axes(&x.shape(), &[axis]);
    let low = |x: Value<'g>, axis: usize| x.min(&[axis]).keep_axes(&x.shape(), &[axis]);
    let number = match ord {
        Order::Number(number) => Some(*number),
        _ => None,
    };
    Ok(match number {
        Some(1.0) => high(over(x.abs(), row), column),
        Some(-1.0) => low(over(x.abs(), row), column),
        Some(f64::INFINITY) => high(over(x.abs(), column), row),
        Some(f64::NEG_INFINITY) => low(over(x.abs(), column), row),
        None | Some(2.0 | -2.0) => {
            let others: Vec<usize> =
                (0..shape.rank()).filter(|&i| i != row && i != column).collect();
            let order = [others.as_slice(), &[row, column]].concat();
            let s = super::linalg::singular_values(x.transpose(&order))?;
            let last = [s.rank().saturating_sub(1)];
            let found = match number {
                None => s.sum(&last),
                Some(2.0) => s.max(&last),
                Some(_) => s.min(&last),
            };
            let extent = |(i, &d): (usize, &usize)| if i == row || i == column { 1 } else { d };
            found.reshape(shape.iter().enumerate().map(extent).collect::<Shape>())
        }
        Some(_) => return Err(c.config.bad("ord", "1, -1, 2, -2, inf or -inf, for matrices")),
    })
}
