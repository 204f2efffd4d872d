//! `keras.ops.linalg`: matrices `(…, m, n)` taken apart, inverted and solved for.

use crate::base::{DType, Error, Result, Shape};
use crate::graph::Value;
use crate::layers::Outputs;
use crate::operations::call::{Call, Operand};
use crate::operations::operations;
use crate::operations::promotion::{Kind, result_type};

operations! {
    /// Linear algebra, in `keras.ops.linalg`.
    LINALG:
    Cholesky(x) { upper: false } |c| {
        let a = square(c, 0)?;
        let l = symmetric(a.value).cholesky();
        Ok(a.batch.restore(if c.config.bool("upper")? { flipped(l) } else { l }))
    };
    CholeskyInverse(x) { upper: false } |c| {
        let a = square(c, 0)?;
        let upper = c.config.bool("upper")?;
        if a.batch.axes.rank() > 0 {
            return Err(c.bad(0, "one matrix"));
        }
        let inverse = a.value.solve_triangle(identity(a.value), !upper, false, false);
        Ok(a.batch.restore(inverse.matmul_flags(inverse, !upper, upper)))
    };
    Det(x) |c| {
        let a = square(c, 0)?;
        Ok(a.batch.restore(determinant(a.value)))
    };
    Eigh(x) |c| {
        let a = square(c, 0)?;
        let (values, vectors) = symmetric(a.value).eigh();
        Ok([values, vectors].map(|part| a.batch.restore(part)).to_vec())
    };
    Inv(x) |c| {
        let a = square(c, 0)?;
        Ok(a.batch.restore(solution(a.value, identity(a.value))))
    };
    LuFactor(x) |c| {
        let a = matrices(c, 0)?;
        let (lu, pivots, _) = a.value.lu();
        Ok([lu, pivots].map(|part| a.batch.restore(part)).to_vec())
    };
    Lstsq(a, b) { rcond: null } |c| least_squares(c);
    MatrixRank(x) { tol: null } |c| {
        let a = matrices(c, 0)?;
        let s = a.value.singular_values();
        let least = match c.config.optional_float("tol")? {
            Some(tol) => s.scalar_like(tol),
            None => largest(s) * (a.larger() * f64::from(f32::EPSILON)),
        };
        Ok(a.batch.restore(s.binary("gt", least).cast(DType::Int32).sum(&[1])))
    };
    Pinv(x) { rcond: null } |c| {
        let a = matrices(c, 0)?;
        let rcond = c.config.optional_float("rcond")?;
        let rcond = rcond.unwrap_or(10.0 * a.larger() * f64::from(f32::EPSILON));
        let (u, s, vt) = a.value.svd(false);
        let kept = s.binary("gt", largest(s) * rcond);
        Ok(a.batch.restore(flipped(vt).matmul(divided_rows(flipped(u), s, kept))))
    };
    Qr(x) { mode: "reduced" } |c| {
        let a = matrices(c, 0)?;
        let complete = c.config.choice("mode", &[("reduced", false), ("complete", true)])?;
        let (q, r) = a.value.qr(complete);
        Ok([q, r].map(|part| a.batch.restore(part)).to_vec())
    };
    Solve(a, b) |c| systems(c, false, solution);
    SolveTriangular(a, b) { lower: false } |c| {
        let lower = c.config.bool("lower")?;
        systems(c, true, |a, b| a.solve_triangle(b, lower, false, false))
    };
    SVD(x) { full_matrices: true, compute_uv: true } |c| singular(c);
}

operations! {
    /// Determinants, in `keras.ops.numpy`.
    DETERMINANTS:
    Slogdet(x) |c| {
        let a = square(c, 0)?;
        let (sign, log) = sign_and_log(a.value);
        Ok([sign, log].map(|part| a.batch.restore(part)).to_vec())
    };
}

operations! {
    /// Determinants, in `keras.ops.math`.
    LOG_DETERMINANTS:
    Logdet(x) |c| {
        let a = square(c, 0)?;
        Ok(a.batch.restore(sign_and_log(a.value).1))
    };
}

/// Matrices of an argument, `[batch, m, n]` in float32.
struct Matrices<'g> {
    value: Value<'g>,
    batch: Batch,
}

/// What an argument has in front of its matrices, and its dtype.
struct Batch {
    axes: Shape,
    dtype: DType,
}

impl Batch {
    /// A result with the axes that its argument had in the place of its first one.
    fn restore<'g>(&self, x: Value<'g>) -> Value<'g> {
        let inner = x.shape();
        let extents = self.axes.iter().chain(inner.iter().skip(1)).copied();
        let y = x.reshape(extents.collect::<Shape>());
        if y.dtype().is_float() { y.cast(self.dtype) } else { y }
    }
}

impl Matrices<'_> {
    /// The larger extent of a matrix.
    fn larger(&self) -> f64 {
        self.value.extent(1).max(self.value.extent(2)) as f64
    }
}

/// The dtype in which JAX computes: it has no factorisations in 16 bits.
fn dtype_of(operands: &[Operand<'_>]) -> Result<DType> {
    let kinds: Vec<Kind> = operands.iter().map(|o| o.kind()).chain([Kind::WeakFloat]).collect();
    match result_type(&kinds) {
        dtype @ (DType::Float32 | DType::Float64) => Ok(dtype),
        dtype => {
            let what =
                format!("linear algebra in {dtype}, which JAX has not either: cast to float32");
            Err(Error::Unsupported(what))
        }
    }
}

fn matrices<'g>(c: &Call<'_, 'g>, position: usize) -> Result<Matrices<'g>> {
    let x = c.operand(position)?;
    let dtype = dtype_of(&[x])?;
    stacked(c, position, x.cast(c.cx, dtype))
}

fn stacked<'g>(c: &Call<'_, 'g>, position: usize, x: Value<'g>) -> Result<Matrices<'g>> {
    of_floats(x).ok_or_else(|| c.bad(position, "matrices (…, m, n) with elements"))
}

fn of_floats(x: Value<'_>) -> Option<Matrices<'_>> {
    let shape = x.shape();
    let axes = shape.rank().checked_sub(2).filter(|_| !shape.is_empty())?;
    let batch = Batch { axes: Shape::from(&shape[..axes]), dtype: x.dtype() };
    let extents = [batch.axes.len(), shape[axes], shape[axes + 1]];
    Some(Matrices { value: x.reshape(extents).cast(DType::Float32), batch })
}

fn square<'g>(c: &Call<'_, 'g>, position: usize) -> Result<Matrices<'g>> {
    let a = matrices(c, position)?;
    let fits = a.value.extent(1) == a.value.extent(2);
    if fits { Ok(a) } else { Err(c.bad(position, "square matrices (…, n, n)")) }
}

fn flipped(x: Value<'_>) -> Value<'_> {
    x.transpose(&[0, 2, 1])
}

/// Half the sum with the transpose: JAX symmetrizes what it takes for symmetric.
fn symmetric(a: Value<'_>) -> Value<'_> {
    (a + flipped(a)) * 0.5
}

/// Unit matrices in the shape of square ones.
fn identity(a: Value<'_>) -> Value<'_> {
    let graph = a.graph();
    graph.iota(a.shape(), 1).binary("eq", graph.iota(a.shape(), 2)).cast(a.dtype())
}

/// The diagonals `[batch, n]` of square matrices.
fn diagonal(a: Value<'_>) -> Value<'_> {
    let graph = a.graph();
    let on = graph.iota(a.shape(), 1).binary("eq", graph.iota(a.shape(), 2));
    on.select(a, a.like(0.0)).sum(&[2])
}

/// The largest of each row `[batch, n]`, which is its first, as `[batch, 1]`.
fn largest(s: Value<'_>) -> Value<'_> {
    s.narrow(1, 0, 1)
}

/// Rows of `x` divided by the numbers of `s`; zero where these are not kept.
fn divided_rows<'g>(x: Value<'g>, s: Value<'g>, kept: Value<'g>) -> Value<'g> {
    let column = [s.extent(0), s.extent(1), 1];
    let inverse = kept.select(kept.select(s, s.like(1.0)).unary("recip"), s.like(0.0));
    x * inverse.reshape(column)
}

/// The singular values `(…, k)` of matrices `(…, m, n)`.
pub(super) fn singular_values(x: Value<'_>) -> Result<Value<'_>> {
    let a = of_floats(x).ok_or_else(|| {
        Error::shape("singular values", x.shape().to_string(), "matrices with elements")
    })?;
    Ok(a.batch.restore(a.value.singular_values()))
}

/// X with A·X = B, by A's triangular factors.
fn solution<'g>(a: Value<'g>, b: Value<'g>) -> Value<'g> {
    let (lu, _, order) = a.lu();
    let rows = order.reshape([order.extent(0), order.extent(1), 1]).broadcast(b.shape());
    let y = lu.solve_triangle(b.take_along(rows, 1), true, false, true);
    lu.solve_triangle(y, false, false, false)
}

/// Solutions for vectors and for matrices, whose other axes broadcast. `vectors` says whether `b` may
/// be a stack of vectors, one for each matrix.
fn systems<'g>(
    c: &Call<'_, 'g>,
    vectors: bool,
    solve: impl FnOnce(Value<'g>, Value<'g>) -> Value<'g>,
) -> Result<Value<'g>> {
    let operands = [c.operand(0)?, c.operand(1)?];
    let dtype = dtype_of(&operands)?;
    let [a, b] = operands.map(|o| o.cast(c.cx, dtype));
    let (sa, sb) = (a.shape(), b.shape());
    let misfit = || {
        let expected = "matrices (…, n, n) and right-hand sides (n,) or (…, n, k)";
        Error::shape("linear systems", format!("{sa} and {sb}"), expected)
    };
    let stack = vectors && sa.rank() == sb.rank() + 1 && sa.last() == sb.last();
    let is_vector = sb.rank() == 1 || stack;
    let columns = if is_vector { b.reshape([sb.as_slice(), &[1]].concat()) } else { b };
    let sb = columns.shape();
    let (Some(x), Some(y)) = (sa.rank().checked_sub(2), sb.rank().checked_sub(2)) else {
        return Err(misfit());
    };
    if sa[x] != sa[x + 1] || sa[x] != sb[y] {
        return Err(misfit());
    }
    let axes = Shape::from(&sa[..x]).broadcast(&Shape::from(&sb[..y]))?;
    let spread = |v: Value<'g>, inner: &[usize]| v.broadcast([axes.as_slice(), inner].concat());
    let a = stacked(c, 0, spread(a, &sa[x..]))?;
    let b = stacked(c, 1, spread(columns, &sb[y..]))?;
    let solved = b.batch.restore(solve(a.value, b.value));
    let shape = solved.shape();
    Ok(if is_vector { solved.reshape(&shape[..shape.rank() - 1]) } else { solved })
}

/// The solution of the least length among those with the least error: b is (m,) or (m, k).
fn least_squares<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let operands = [c.operand(0)?, c.operand(1)?];
    let dtype = dtype_of(&operands)?;
    let [a, b] = operands.map(|o| o.cast(c.cx, dtype));
    let (sa, sb) = (a.shape(), b.shape());
    let (&[m, n], &[rows, ..]) = (sa.as_slice(), sb.as_slice()) else {
        return Err(c.bad(0, "one matrix (m, n), and (m,) or (m, k)"));
    };
    if rows != m || sb.rank() > 2 || sa.is_empty() {
        return Err(c.bad(1, &format!("({m},) or ({m}, k)")));
    }
    let epsilon = f64::from(f32::EPSILON);
    let rcond = match c.config.optional_float("rcond")? {
        None => epsilon * m.max(n) as f64,
        Some(rcond) if rcond < 0.0 => epsilon,
        Some(rcond) => rcond,
    };
    let (u, s, vt) = stacked(c, 0, a)?.value.svd(false);
    let kept = s.binary("gt", s.like(0.0)).binary("and", s.binary("ge", largest(s) * rcond));
    let b = b.reshape([1, m, sb.len() / m]).cast(DType::Float32);
    let x = flipped(vt).matmul(divided_rows(u.matmul_flags(b, true, false), s, kept));
    let extents: Shape = [n].into_iter().chain(sb.iter().skip(1).copied()).collect();
    Ok(x.reshape(extents).cast(dtype))
}

/// Determinants `[batch]`: by their formulas for two and three rows, whose gradients singular matrices
/// have too, else by triangular factors.
fn determinant(a: Value<'_>) -> Value<'_> {
    let (batch, n) = (a.extent(0), a.extent(1));
    let at = |i: usize, j: usize| a.narrow(1, i, 1).narrow(2, j, 1).reshape([batch]);
    let minor = |i: usize, j: usize| at(1, i) * at(2, j) - at(1, j) * at(2, i);
    match n {
        2 => at(0, 0) * at(1, 1) - at(0, 1) * at(1, 0),
        3 => at(0, 0) * minor(1, 2) - at(0, 1) * minor(0, 2) + at(0, 2) * minor(0, 1),
        _ => {
            let (lu, pivots, _) = a.lu();
            diagonal(lu).prod(&[1]) * parity(exchanges(pivots))
        }
    }
}

/// How many rows were exchanged with others.
fn exchanges(pivots: Value<'_>) -> Value<'_> {
    let own = pivots.graph().iota(pivots.shape(), 1);
    pivots.binary("ne", own).cast(DType::Int32).sum(&[1])
}

/// 1 for even numbers, −1 for odd ones, as float32.
fn parity(count: Value<'_>) -> Value<'_> {
    let odd = count.binary("and", count.like(1.0));
    odd.cast(DType::Float32) * -2.0 + 1.0
}

/// The sign of each determinant and the logarithm of its size, `[batch]`.
fn sign_and_log<'g>(a: Value<'g>) -> (Value<'g>, Value<'g>) {
    if a.extent(1) <= 2 {
        let det = determinant(a);
        return (det.unary("sign"), det.abs().log());
    }
    let (lu, pivots, _) = a.lu();
    let diagonal = diagonal(lu);
    let zero = diagonal.binary("eq", diagonal.like(0.0)).max(&[1]);
    let below = diagonal.binary("lt", diagonal.like(0.0)).cast(DType::Int32).sum(&[1]);
    let sign = parity(exchanges(pivots) + below);
    let log = diagonal.abs().log().sum(&[1]);
    (zero.select(sign.like(0.0), sign), zero.select(log.like(f64::NEG_INFINITY), log))
}

fn singular<'g>(c: &Call<'_, 'g>) -> Result<Outputs<'g>> {
    let a = matrices(c, 0)?;
    let full = c.config.bool("full_matrices")?;
    if !c.config.bool("compute_uv")? {
        return Ok(a.batch.restore(a.value.singular_values()).into());
    }
    let (u, s, vt) = a.value.svd(full);
    Ok([u, s, vt].map(|part| a.batch.restore(part)).to_vec().into())
}
