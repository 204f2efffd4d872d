//! Factorisations of one matrix: what [`Factor`](crate::graph::ops::Factor) evaluates.
//!
//! They follow LAPACK step by step, down to the signs of vectors, which the mathematics leaves open.
//! Matrices are rows after rows.

pub(super) mod cholesky;
pub(super) mod eigh;
pub(super) mod grad;
mod householder;
pub(super) mod lu;
pub(super) mod qr;
mod rotation;
pub(super) mod svd;

/// The largest relative rounding error of the arithmetic.
const EPSILON: f32 = f32::EPSILON / 2.0;
