//! Convolution by tiles in workgroup memory, for GPUs; see `shaders/conv_gemm.wgsl`.

use crate::base::Result;
use crate::gpu::Caps;
use crate::kernels::build::{Kernel, right_operand};
use crate::kernels::{Conv, Epilogue, Launch};

pub use crate::kernels::conv::Params;

const TILE: usize = 64;

/// The launch for a convolution or its input gradient.
pub fn launch(problem: &Conv, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    let (row_tiles, col_tiles) = (problem.rows().div_ceil(TILE), problem.cols().div_ceil(TILE));
    let groups = problem.groups * row_tiles * col_tiles;
    Kernel {
        name: "conv_gemm",
        label: problem.label("conv_gemm"),
        prelude: problem.prelude(256),
        modules: right_operand(epilogue.right, false),
        params: &problem.params(row_tiles, col_tiles, groups)?,
        groups,
        inputs: 2,
        fills_workgroup_memory: true,
    }
    .launch(caps, epilogue)
}
