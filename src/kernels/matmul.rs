//! Matrix products: the problem, and the choice among its kernels.

use crate::base::Result;
use crate::gpu::{Caps, Kind};
use crate::kernels::{Epilogue, Launch, matmul_block, matmul_tile, matmul_vec};

/// `out[b,m,n] = sum over k of A[b,m,k] * B[b,k,n]`, all row-major float32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MatMul {
    pub batch: usize,
    pub m: usize,
    pub n: usize,
    pub k: usize,
    /// Whether A has a batch axis; otherwise it is the same for all.
    pub a_batch: bool,
    /// Whether B has a batch axis; otherwise it is the same for all.
    pub b_batch: bool,
    /// A is `[batch, k, m]` instead of `[batch, m, k]`.
    pub transpose_a: bool,
    /// B is `[batch, n, k]` instead of `[batch, k, n]`.
    pub transpose_b: bool,
}

/// The kernel for a product on an adapter.
///
/// The rule: a software adapter gets register blocks without workgroup memory, because barriers
/// cost it more than loads; a GPU gets tiles in workgroup memory, and the vector kernel for up to
/// four rows, where B is read once and tiles would be mostly empty.
///
/// # Errors
/// [`crate::base::Error::Limit`] when an extent does not fit 32 bits.
pub fn choose_matmul(problem: &MatMul, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    if caps.kind == Kind::Software {
        matmul_block::launch(problem, caps, epilogue)
    } else if matmul_vec::applies(problem) {
        matmul_vec::launch(problem, caps, epilogue)
    } else {
        matmul_tile::launch(problem, caps, epilogue)
    }
}

impl MatMul {
    /// Elements from one batch element of A to the next; 0 where A is the same for all.
    pub(super) fn a_stride(&self) -> usize {
        if self.a_batch { self.m * self.k } else { 0 }
    }

    /// Elements from one batch element of B to the next; 0 where B is the same for all.
    pub(super) fn b_stride(&self) -> usize {
        if self.b_batch { self.k * self.n } else { 0 }
    }

    /// Strides of A along rows and k.
    pub(super) fn a_strides(&self) -> [usize; 2] {
        if self.transpose_a { [1, self.m] } else { [self.k, 1] }
    }

    /// Strides of B along k and columns.
    pub(super) fn b_strides(&self) -> [usize; 2] {
        if self.transpose_b { [1, self.k] } else { [self.n, 1] }
    }

    pub(super) fn label(&self, kernel: &str) -> String {
        format!("{kernel} {}x{}x{}x{}", self.batch, self.m, self.n, self.k)
    }
}
