//! Factorisations and triangular systems, as values.

use crate::base::{DType, Error};
use crate::graph::Value;
use crate::graph::ops::{Factor, FactorKind, TriangularSolve};

impl<'g> Value<'g> {
    fn factor(self, kind: FactorKind) -> Vec<Value<'g>> {
        let extents = [self.extent(1), self.extent(2)];
        let op = Factor { kind };
        // One NaN or infinity makes all of its matrix's parts NaN; no device is asked to compare with it.
        let finite = self.unary("isfinite").min(&[1, 2]);
        let of = |rank: usize| finite.reshape([&[self.extent(0)][..], &vec![1; rank]].concat());
        let safe = of(2).select(self, self.like(0.0));
        let row = self.graph().apply(op.clone(), &[safe]);
        of(1).select(row, row.like(f64::NAN)).parts_of(&op, extents)
    }

    /// The parts of a factorisation's result, or of its gradient, each `[batch, rows, columns]`.
    pub(crate) fn parts_of(self, op: &Factor, extents: [usize; 2]) -> Vec<Value<'g>> {
        let batch = self.extent(0);
        let part = |(start, [rows, columns]): (usize, [usize; 2])| {
            self.narrow(1, start, rows * columns).reshape([batch, rows, columns])
        };
        op.starts(extents).into_iter().zip(op.parts(extents)).map(part).collect()
    }

    /// L with L·Lᵀ = A for symmetric matrices A `[batch, n, n]`, of which the lower triangle is read; NaN
    /// where A is not positive definite.
    pub fn cholesky(self) -> Value<'g> {
        self.factor(FactorKind::Cholesky)[0]
    }

    /// P·A = L·U of matrices `[batch, m, n]`: both factors in one matrix (the diagonal is U's), the rows
    /// that were exchanged one after the other `[batch, min(m, n)]` (int32), and for each row of P·A the
    /// row of A `[batch, m]` (int32).
    pub fn lu(self) -> (Value<'g>, Value<'g>, Value<'g>) {
        let (batch, rows) = (self.extent(0), self.extent(1));
        let parts = self.factor(FactorKind::Lu);
        let whole = |part: Value<'g>, n: usize| part.reshape([batch, n]).cast(DType::Int32);
        let steps = rows.min(self.extent(2));
        (parts[0], whole(parts[1], steps), whole(parts[2], rows))
    }

    /// Q `[batch, m, k]` and R `[batch, k, n]` of matrices `[batch, m, n]`, where k is m if `complete`
    /// and the smaller extent if not.
    pub fn qr(self, complete: bool) -> (Value<'g>, Value<'g>) {
        let (m, n) = (self.extent(1), self.extent(2));
        let columns = if complete { m } else { m.min(n) };
        let parts = self.factor(FactorKind::Qr { columns });
        let r = parts[0].narrow(1, 0, columns);
        let graph = self.graph();
        let above = graph.iota(r.shape(), 1).binary("le", graph.iota(r.shape(), 2));
        (parts[2], above.select(r, r.like(0.0)))
    }

    /// Eigenvalues `[batch, n]` in ascending order and eigenvectors, as columns `[batch, n, n]`, of
    /// symmetric matrices, of which the lower triangle is read.
    pub fn eigh(self) -> (Value<'g>, Value<'g>) {
        let parts = self.factor(FactorKind::Eigh);
        (parts[1].reshape([self.extent(0), self.extent(2)]), parts[0])
    }

    /// The singular values `[batch, k]` of matrices `[batch, m, n]` in descending order; k is the smaller
    /// extent.
    pub fn singular_values(self) -> Value<'g> {
        if self.extent(1) < self.extent(2) {
            return self.transpose(&[0, 2, 1]).singular_values();
        }
        let values = self.factor(FactorKind::Svd { columns: 0 })[0];
        values.reshape([self.extent(0), self.extent(2)])
    }

    /// U, s and Vᵀ of matrices `[batch, m, n]`: `[batch, m, m]`, `[batch, k]` and `[batch, n, n]` if
    /// `full`, else only the first k columns of U and rows of Vᵀ, where k is the smaller extent.
    pub fn svd(self, full: bool) -> (Value<'g>, Value<'g>, Value<'g>) {
        let (m, n) = (self.extent(1), self.extent(2));
        if m < n {
            let flip = |x: Value<'g>| x.transpose(&[0, 2, 1]);
            let (v, s, ut) = flip(self).svd(full);
            return (flip(ut), s, flip(v));
        }
        let columns = if full { m } else { n };
        // Of much taller matrices LAPACK takes R apart: the vectors get other signs.
        if m < 11 * n / 6 || m == n {
            let (u, s, vt) = self.svd_tall(columns);
            return (u, s.reshape([self.extent(0), n]), vt);
        }
        let (q, r) = self.qr(full);
        let (u, s, vt) = r.narrow(1, 0, n).svd_tall(n);
        let first = q.narrow(2, 0, n).matmul(u);
        let u = if columns == n {
            first
        } else {
            self.graph().concat(&[first, q.narrow(2, n, columns - n)], 2)
        };
        (u, s.reshape([self.extent(0), n]), vt)
    }

    /// U, s `[batch, 1, n]` and Vᵀ of matrices with at least as many rows as columns.
    pub(crate) fn svd_tall(self, columns: usize) -> (Value<'g>, Value<'g>, Value<'g>) {
        let parts = self.factor(FactorKind::Svd { columns });
        match parts.as_slice() {
            &[s, u, vt, _] => (u, s, vt),
            _ => (self, self, self.graph().failed(Error::Internal("an SVD of other parts".into()))),
        }
    }

    /// X with A·X = B (Aᵀ·X = B if `transpose`) for a triangular A `[batch, n, n]`, of which the lower
    /// triangle is read if `lower`, else the upper one; its diagonal counts as ones if `unit`.
    pub fn solve_triangle(
        self,
        b: Value<'g>,
        lower: bool,
        transpose: bool,
        unit: bool,
    ) -> Value<'g> {
        let op = TriangularSolve { lower, transpose, unit_diagonal: unit };
        self.graph().apply(op, &[self, b])
    }
}
