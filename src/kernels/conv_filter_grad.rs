//! Gradient of a convolution with respect to its filter; see `shaders/conv_filter_grad.wgsl`.

use crate::base::Result;
use crate::gpu::Caps;
use crate::kernels::build::{Kernel, operands};
use crate::kernels::{Conv, Epilogue, Launch};

pub use crate::kernels::conv::Params;

const WORKGROUP: usize = 16;
const BLOCK: usize = 4;

/// The launch for a filter's gradient.
pub fn launch(problem: &Conv, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    let (row_blocks, col_blocks) =
        (problem.depth().div_ceil(BLOCK), problem.cols().div_ceil(BLOCK));
    let blocks = problem.groups * problem.taps() * row_blocks * col_blocks;
    Kernel {
        name: "conv_filter_grad",
        label: problem.label("conv_filter_grad"),
        prelude: problem.prelude(WORKGROUP),
        modules: operands(problem.alignment()),
        params: &problem.params(row_blocks, col_blocks, blocks)?,
        groups: blocks.div_ceil(WORKGROUP),
        inputs: 2,
        fills_workgroup_memory: false,
    }
    .launch(caps, epilogue)
}
