//! Matrix product with few rows, bound by the reading of B; see `shaders/matmul_vec.wgsl`.

use crate::base::{Error, Result};
use crate::gpu::Caps;
use crate::kernels::build::{Kernel, right_operand, words};
use crate::kernels::{Epilogue, Launch, MatMul};

const COLS: usize = 32;
const ROWS: usize = 4;

/// The shader's `Params`.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    m: u32,
    n: u32,
    k: u32,
    a_stride: u32,
    b_stride: u32,
    a_row: u32,
    a_k: u32,
    b_k: u32,
    b_col: u32,
    col_tiles: u32,
    tiles: u32,
}

/// Whether the product has few enough rows.
pub fn applies(problem: &MatMul) -> bool {
    problem.m <= ROWS
}

impl Params {
    /// The parameters of a product by tiles of so many columns, and the number of tiles.
    ///
    /// # Errors
    /// [`Error::Limit`] when an extent does not fit 32 bits.
    pub(super) fn of(problem: &MatMul, cols: usize) -> Result<(Params, usize)> {
        if !applies(problem) {
            return Err(Error::Internal(format!("a product of few rows for {problem:?}")));
        }
        let col_tiles = problem.n.div_ceil(cols);
        let groups = if problem.m == 0 { 0 } else { problem.batch * col_tiles };
        let [m, n, k] = words([problem.m, problem.n, problem.k])?;
        let [a_stride, b_stride] = words([problem.a_stride(), problem.b_stride()])?;
        let [a_row, a_k] = words(problem.a_strides())?;
        let [b_k, b_col] = words(problem.b_strides())?;
        let [col_tiles, tiles] = words([col_tiles, groups])?;
        let params =
            Params { m, n, k, a_stride, b_stride, a_row, a_k, b_k, b_col, col_tiles, tiles };
        Ok((params, groups))
    }
}

/// The launch for a product with at most four rows.
pub fn launch(problem: &MatMul, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    let (params, groups) = Params::of(problem, COLS)?;
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
