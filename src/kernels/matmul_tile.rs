//! Matrix product by tiles in workgroup memory, for GPUs; see `shaders/matmul_tile.wgsl`.

use crate::base::Result;
use crate::gpu::Caps;
use crate::kernels::build::{Kernel, right_operand, words};
use crate::kernels::{Epilogue, Launch, MatMul};

/// Rows and columns of a tile.
pub(super) const TILE: usize = 64;

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
    row_tiles: u32,
    col_tiles: u32,
    tiles: u32,
}

impl Params {
    /// The parameters of a product by tiles, and the number of tiles.
    ///
    /// # Errors
    /// [`crate::base::Error::Limit`] when an extent does not fit 32 bits.
    pub(super) fn of(problem: &MatMul) -> Result<(Params, usize)> {
        let (row_tiles, col_tiles) = (problem.m.div_ceil(TILE), problem.n.div_ceil(TILE));
        let groups = problem.batch * row_tiles * col_tiles;
        let [m, n, k] = words([problem.m, problem.n, problem.k])?;
        let [a_stride, b_stride] = words([problem.a_stride(), problem.b_stride()])?;
        let [a_row, a_k] = words(problem.a_strides())?;
        let [b_k, b_col] = words(problem.b_strides())?;
        let [row_tiles, col_tiles, tiles] = words([row_tiles, col_tiles, groups])?;
        let params = Params {
            m,
            n,
            k,
            a_stride,
            b_stride,
            a_row,
            a_k,
            b_k,
            b_col,
            row_tiles,
            col_tiles,
            tiles,
        };
        Ok((params, groups))
    }
}

/// The launch for a product of any extents.
pub fn launch(problem: &MatMul, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    let (params, groups) = Params::of(problem)?;
    Kernel {
        name: "matmul_tile",
        label: problem.label("matmul_tile"),
        prelude: String::new(),
        modules: right_operand(epilogue.right, false),
        params: &params,
        groups,
        inputs: 2,
        fills_workgroup_memory: true,
    }
    .launch(caps, epilogue)
}
