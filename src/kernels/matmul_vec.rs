//! Matrix product with few rows, bound by the reading of B; see `shaders/matmul_vec.wgsl`.

use crate::base::{Error, Result};
use crate::gpu::Caps;
use crate::kernels::build::{Kernel, right_operand};
use crate::kernels::matmul::Params;
use crate::kernels::{Epilogue, Launch, MatMul};

const COLS: usize = 32;
const ROWS: usize = 4;

/// Whether the product has few enough rows.
pub fn applies(problem: &MatMul) -> bool {
    problem.m <= ROWS
}

/// The parameters of a product by tiles of so many columns, and the number of tiles.
///
/// # Errors
/// [`Error::Internal`] for a product of more rows.
pub(super) fn tiles(problem: &MatMul, cols: usize) -> Result<(Params, usize)> {
    if !applies(problem) {
        return Err(Error::Internal(format!("a product of few rows for {problem:?}")));
    }
    problem.tiles([ROWS, cols])
}

/// The launch for a product with at most four rows.
pub fn launch(problem: &MatMul, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    let (params, groups) = tiles(problem, COLS)?;
    Kernel {
        name: "matmul_vec",
        label: problem.label("matmul_vec"),
        prelude: String::new(),
        modules: right_operand(epilogue.right, false),
        params: &params,
        groups,
        inputs: 2,
        fills_workgroup_memory: true,
    }
    .launch(caps, epilogue)
}
