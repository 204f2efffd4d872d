//! Gradient of a convolution with respect to its filter, for GPUs; see
//! `shaders/conv_filter_grad_split.wgsl`.

use crate::base::Result;
use crate::gpu::Caps;
use crate::kernels::build::{Kernel, operands};
use crate::kernels::{Conv, Epilogue, Launch, conv_filter_grad};

pub use crate::kernels::conv::Params;

const BLOCKS: usize = 16;

/// The launch for a filter's gradient.
pub fn launch(problem: &Conv, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    let [rows, cols, blocks] = conv_filter_grad::blocks(problem);
    Kernel {
        name: "conv_filter_grad_split",
        label: problem.label("conv_filter_grad_split"),
        prelude: problem.prelude(256),
        modules: operands(false, problem.alignment()),
        params: &problem.params(rows, cols, blocks)?,
        groups: blocks.div_ceil(BLOCKS),
        inputs: 2,
        fills_workgroup_memory: true,
    }
    .launch(caps, epilogue)
}
