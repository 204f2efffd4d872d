//! Convolution by register blocks, for software adapters; see `shaders/conv_block.wgsl`.

use crate::base::Result;
use crate::gpu::Caps;
use crate::kernels::build::{Kernel, operands};
use crate::kernels::{Conv, Epilogue, Launch};

pub use crate::kernels::conv::Params;

const WORKGROUP: usize = 16;
const BLOCK: usize = 8;

/// The launch for a convolution or its input gradient.
pub fn launch(problem: &Conv, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    let (row_blocks, col_blocks) = (problem.rows().div_ceil(BLOCK), problem.cols().div_ceil(BLOCK));
    let blocks = problem.groups * row_blocks * col_blocks;
    Kernel {
        name: "conv_block",
        label: problem.label("conv_block"),
        prelude: problem.prelude(WORKGROUP),
        modules: operands(epilogue.right, problem.alignment()),
        params: &problem.params(row_blocks, col_blocks, blocks)?,
        groups: blocks.div_ceil(WORKGROUP),
        inputs: 2,
        fills_workgroup_memory: false,
    }
    .launch(caps, epilogue)
}
