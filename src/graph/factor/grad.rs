//! Gradients of factorisations.
//!
//! Cholesky: Murray 2016. QR: Liao, Liu, Wang and Xiang 2019. The others: Giles 2008.

use crate::base::Error;
use crate::graph::ops::{Factor, FactorKind};
use crate::graph::{Value, Vjp};

/// The gradient with respect to the matrices.
pub fn of<'g>(op: &Factor, cx: &Vjp<'_, 'g>) -> Value<'g> {
    let a = cx.inputs[0];
    let extents = [a.extent(1), a.extent(2)];
    let parts = |x: Value<'g>| -> Vec<Value<'g>> { x.parts_of(op, extents) };
    let (values, grads) = (parts(cx.output), parts(cx.grad));
    match op.kind {
        FactorKind::Cholesky => cholesky(values[0], grads[0]),
        FactorKind::Lu => lu(values[0], values[2], grads[0]),
        FactorKind::Qr { .. } => qr(a, [values[2], values[0]], [grads[2], grads[0]]),
        FactorKind::Eigh => eigh([values[0], values[1]], [grads[0], grads[1]]),
        FactorKind::Svd { columns: 0 } => {
            // The vectors are needed after all.
            let (u, _, v) = a.svd_tall(extents[1]);
            (u * grads[0]).matmul(v)
        }
        FactorKind::Svd { .. } => svd(&values, &grads),
    }
}

/// Where row and column compare as `test` says, zero elsewhere.
fn masked<'g>(x: Value<'g>, test: &'static str) -> Value<'g> {
    let graph = x.graph();
    let (rows, columns) = (graph.iota(x.shape(), 1), graph.iota(x.shape(), 2));
    rows.binary(test, columns).select(x, x.like(0.0))
}

fn transposed(x: Value<'_>) -> Value<'_> {
    x.transpose(&[0, 2, 1])
}

/// Half the sum with the transpose, as the matrix itself is symmetric.
fn symmetric(x: Value<'_>) -> Value<'_> {
    (x + transposed(x)) * 0.5
}

fn cholesky<'g>(l: Value<'g>, grad: Value<'g>) -> Value<'g> {
    let inner = masked(l.matmul_flags(grad, true, false), "ge");
    let inner = inner - masked(inner, "eq") * 0.5;
    // L⁻ᵀ · inner · L⁻¹
    let left = l.solve_triangle(inner, true, true, false);
    let both = transposed(l.solve_triangle(transposed(left), true, true, false));
    symmetric(both)
}

/// Both factors are made square by rows or columns of the identity, which do not depend on A.
fn lu<'g>(lu: Value<'g>, order: Value<'g>, grad: Value<'g>) -> Value<'g> {
    let (m, n) = (lu.extent(1), lu.extent(2));
    let size = m.max(n);
    let square = |x: Value<'g>| x.pad(&[0; 3], &[0, size - m, size - n], 0.0);
    let (lu, grad) = (square(lu), square(grad));
    let lower = masked(lu, "gt");
    let upper = masked(lu, "le");
    let graph = lu.graph();
    let (row, column) = (graph.iota(lu.shape(), 1), graph.iota(lu.shape(), 2));
    let diagonal = row.binary("eq", column);
    // The rows of the identity that make a wide U square, or its columns that make L so.
    let added = diagonal.binary("and", row.binary("ge", row.like(m.min(n) as f64)));
    let upper = added.select(upper.like(1.0), upper);
    let unit = diagonal.select(lower.like(1.0), lower);
    let from_lower = masked(unit.matmul_flags(masked(grad, "gt"), true, false), "gt");
    let from_upper = masked(masked(grad, "le").matmul_flags(upper, false, true), "le");
    // L⁻ᵀ · sum · U⁻ᵀ
    let left = lu_solve(unit, from_lower + from_upper, true);
    let both = transposed(upper.solve_triangle(transposed(left), false, false, false));
    // Row i of P·A is row order[i] of A.
    let rows = both.narrow(1, 0, m).narrow(2, 0, n);
    let back = order.reshape([order.extent(0), m, 1]).argsort(1, false);
    rows.take_along(back.broadcast([rows.extent(0), m, n]), 1)
}

fn lu_solve<'g>(unit: Value<'g>, b: Value<'g>, transpose: bool) -> Value<'g> {
    unit.solve_triangle(b, true, transpose, true)
}

fn qr<'g>(a: Value<'g>, [q, r]: [Value<'g>; 2], [dq, dr]: [Value<'g>; 2]) -> Value<'g> {
    let (m, n, columns) = (a.extent(1), a.extent(2), q.extent(2));
    if columns > n {
        let what = "the gradient of a complete QR of a tall matrix, which JAX has not either";
        return a.graph().failed(Error::Unsupported(what.into()));
    }
    let (r, dr) = (masked(r, "le").narrow(1, 0, columns), masked(dr, "le").narrow(1, 0, columns));
    if m >= n {
        return qr_square([q, r], [dq, dr]);
    }
    // A = [X Y], R = [U V]: Y = Q·V.
    let (u, du) = (r.narrow(2, 0, m), dr.narrow(2, 0, m));
    let (y, dv) = (a.narrow(2, m, n - m), dr.narrow(2, m, n - m));
    let dx = qr_square([q, u], [dq + y.matmul_flags(dv, false, true), du]);
    a.graph().concat(&[dx, q.matmul(dv)], 2)
}

fn qr_square<'g>([q, r]: [Value<'g>; 2], [dq, dr]: [Value<'g>; 2]) -> Value<'g> {
    let inner = r.matmul_flags(dr, false, true) - dq.matmul_flags(q, true, false);
    let lower = masked(inner, "gt");
    let copied = lower + transposed(lower) + masked(inner, "eq");
    let left = dq + q.matmul(copied);
    // left · R⁻ᵀ
    transposed(r.solve_triangle(transposed(left), false, false, false))
}

/// 1 / (x[j] − x[i]) off the diagonal, for rows x `[batch, n]`.
fn inverse_differences(x: Value<'_>) -> Value<'_> {
    let (batch, n) = (x.extent(0), x.extent(2));
    let difference = x.reshape([batch, 1, n]) - x.reshape([batch, n, 1]);
    let graph = x.graph();
    let shape = difference.shape();
    let diagonal = graph.iota(shape.clone(), 1).binary("eq", graph.iota(shape, 2));
    let safe = diagonal.select(difference.like(1.0), difference);
    diagonal.select(difference.like(0.0), safe.unary("recip"))
}

/// A matrix of rows `[batch, 1, n]` on its diagonal.
fn on_diagonal(x: Value<'_>) -> Value<'_> {
    let (batch, n) = (x.extent(0), x.extent(2));
    masked(x.broadcast([batch, n, n]), "eq")
}

fn eigh<'g>([v, w]: [Value<'g>; 2], [dv, dw]: [Value<'g>; 2]) -> Value<'g> {
    let inner = inverse_differences(w) * v.matmul_flags(dv, true, false);
    let inner = v.matmul(inner + on_diagonal(dw));
    symmetric(inner.matmul_flags(v, false, true))
}

fn svd<'g>(values: &[Value<'g>], grads: &[Value<'g>]) -> Value<'g> {
    let (s, u, vt) = (values[0], values[1], values[2]);
    let (ds, du, dvt) = (grads[0], grads[1], grads[2]);
    let (n, columns) = (s.extent(2), u.extent(2));
    if columns > n {
        let what = "the gradient of an SVD with full matrices, which JAX has not either";
        return s.graph().failed(Error::Unsupported(what.into()));
    }
    let f = inverse_differences(s.square());
    let skew = |x: Value<'g>| x - transposed(x);
    let left = f * skew(u.matmul_flags(du, true, false));
    let right = f * skew(vt.matmul_flags(dvt, false, true));
    // U · (left · diag(s) + diag(s) · right + diag(ds)) · Vᵀ
    let column = transposed(s);
    let core = left * s + column * right + on_diagonal(ds);
    let inside = u.matmul(core).matmul(vt);
    // What lies outside of the columns of U.
    let over = du * s.unary("recip");
    let outside = over - u.matmul(u.matmul_flags(over, true, false));
    inside + outside.matmul(vt)
}
