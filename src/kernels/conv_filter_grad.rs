//! Gradient of a convolution with respect to its filter, for software adapters; see
//! `shaders/conv_filter_grad.wgsl`.

use crate::base::Result;
use crate::gpu::Caps;
use crate::kernels::build::{Kernel, operands};
use crate::kernels::{Conv, Epilogue, Launch};

pub use crate::kernels::conv::Params;

const WORKGROUP: usize = 16;
const BLOCK: usize = 4;

/// The launch for a filter's gradient.
pub fn launch(problem: &Conv, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    let [rows, cols, blocks] = blocks(problem);
    Kernel {
        name: "conv_filter_grad",
        label: problem.label("conv_filter_grad"),
        prelude: problem.prelude(WORKGROUP),
        modules: operands(false, problem.alignment()),
        params: &problem.params(rows, cols, blocks)?,
        groups: blocks.div_ceil(WORKGROUP),
        inputs: 2,
        fills_workgroup_memory: false,
    }
    .launch(caps, epilogue)
}

/// Blocks along the channels and filters of one tap and group, and in all.
pub(super) fn blocks(problem: &Conv) -> [usize; 3] {
    let (rows, cols) = (problem.depth().div_ceil(BLOCK), problem.cols().div_ceil(BLOCK));
    [rows, cols, problem.groups * problem.taps() * rows * cols]
}
