//! Factorisations of batches of small matrices.

use crate::base::{DType, Error, Result, Spec};
use crate::graph::factor::{self, cholesky, eigh, lu, qr, svd};
use crate::graph::{FusionClass, OpDef, Value, Vjp};
use crate::tensor::{Array, Words};

/// Into what a matrix is taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FactorKind {
    /// A = L·Lᵀ of a symmetric A; only its lower triangle is read.
    Cholesky,
    /// P·A = L·U.
    Lu,
    /// A = Q·R, with as many columns of Q.
    Qr {
        /// Columns of Q: as many as A has rows, or as the smaller of its two extents.
        columns: usize,
    },
    /// A = V·diag(w)·Vᵀ of a symmetric A; only its lower triangle is read.
    Eigh,
    /// A = U·diag(s)·Vᵀ of an A with at least as many rows as columns, with as many columns of U; zero
    /// for the values alone.
    Svd {
        /// Columns of U: from as many as A has columns up to its rows, or zero.
        columns: usize,
    },
}

/// Takes every matrix of `[batch, m, n]` (float32) apart. The parts lie one after the other in a row for
/// each matrix, `[batch, …]`: see [`parts`](Factor::parts). [`Value`] has a method for each kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Factor {
    /// Into what the matrices are taken apart.
    pub kind: FactorKind,
}

impl Factor {
    /// Rows and columns of each part.
    ///
    /// | kind | parts |
    /// | --- | --- |
    /// | Cholesky | L |
    /// | Lu | L below U, the rows exchanged, the order of rows |
    /// | Qr | R above reflections, their factors, Q |
    /// | Eigh | V, w, room to work in |
    /// | Svd | s, U, Vᵀ, room to work in |
    pub fn parts(&self, [m, n]: [usize; 2]) -> Vec<[usize; 2]> {
        let least = m.min(n);
        match self.kind {
            FactorKind::Cholesky => vec![[n, n]],
            FactorKind::Lu => vec![[m, n], [1, least], [1, m]],
            FactorKind::Qr { columns } => vec![[m, n], [1, least], [m, columns]],
            FactorKind::Eigh => vec![[n, n], [1, n], [n + 2, n]],
            FactorKind::Svd { columns: 0 } => vec![[1, n], [0, 0], [0, 0], [m + 3, n]],
            FactorKind::Svd { columns } => vec![[1, n], [m, columns], [n, n], [m + 3, n]],
        }
    }

    /// Where each part starts, and behind the last one how many elements there are.
    pub fn starts(&self, extents: [usize; 2]) -> Vec<usize> {
        let sizes = self.parts(extents).into_iter().map(|[rows, columns]| rows * columns);
        let ends = sizes.scan(0, |end, size| {
            *end += size;
            Some(*end)
        });
        [0].into_iter().chain(ends).collect()
    }

    fn fits(&self, [m, n]: [usize; 2]) -> bool {
        match self.kind {
            FactorKind::Cholesky | FactorKind::Eigh => m == n,
            FactorKind::Lu => true,
            FactorKind::Qr { columns } => columns == m || columns == m.min(n),
            FactorKind::Svd { columns } => m >= n && (columns == 0 || (n..=m).contains(&columns)),
        }
    }
}

impl OpDef for Factor {
    fn label(&self) -> String {
        format!("factor {:?}", self.kind).to_lowercase()
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        let a = inputs[0];
        let misfit = || Error::shape(self.label(), a.to_string(), "fitting matrices of float32");
        let &[batch, m, n] = a.shape.as_slice() else { return Err(misfit()) };
        if a.dtype != DType::Float32 || m == 0 || n == 0 || !self.fits([m, n]) {
            return Err(misfit());
        }
        let len = self.starts([m, n]).last().copied().unwrap_or_default();
        Ok(Spec::new([batch, len], DType::Float32))
    }

    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        vec![Some(factor::grad::of(self, cx))]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let &[batch, m, n] = inputs[0].spec.shape.as_slice() else {
            return Err(Error::Internal("factor: no batch of matrices".into()));
        };
        let mut words = Vec::with_capacity(output.shape.len());
        for matrix in inputs[0].as_f32().chunks_exact(m * n).take(batch) {
            let mut parts = match self.kind {
                FactorKind::Cholesky => cholesky::factor(matrix, n),
                FactorKind::Lu => lu::factor(matrix, [m, n]),
                FactorKind::Qr { columns } => qr::factor(matrix, [m, n], columns),
                FactorKind::Eigh => eigh::factor(matrix, n),
                FactorKind::Svd { columns } => svd::factor(matrix, [m, n], columns),
            };
            // The room that devices work in is nobody's to read.
            parts.resize(output.shape[1], 0.0);
            words.extend(parts);
        }
        Ok(Array { spec: output.clone(), words: Words::F32(words) })
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Opaque
    }
}
