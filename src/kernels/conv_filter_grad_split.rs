//! Gradient of a convolution with respect to its filter, for GPUs; see
//! `shaders/conv_filter_grad_split.wgsl`.

use crate::base::Result;
use crate::gpu::Caps;
use crate::kernels::build::{Kernel, operands};
use crate::kernels::conv_filter_grad::{SMALL_EDGE, blocks, prelude};
use crate::kernels::{Conv, Epilogue, Launch, Right};

pub use crate::kernels::conv::Params;

const BLOCKS: usize = 16;
/// Channels and filters of a block.
const EDGES: [usize; 2] = [SMALL_EDGE; 2];

/// The launch for a filter's gradient.
pub fn launch(problem: &Conv, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    let [rows, cols, blocks] = blocks(problem, EDGES);
    Kernel {
        name: "conv_filter_grad_split",
        label: problem.label("conv_filter_grad_split"),
        prelude: prelude(problem, 256, EDGES),
        modules: operands(Right::Words, problem.alignment()),
        params: &problem.params(rows, cols, blocks)?,
        groups: blocks.div_ceil(BLOCKS),
        inputs: 2,
        fills_workgroup_memory: true,
    }
    .launch(caps, epilogue)
}
