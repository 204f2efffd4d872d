//! Depthwise convolution of neighbours along a line; see `shaders/conv_depthwise_line.wgsl`.

use crate::base::{Error, Result};
use crate::gpu::Caps;
use crate::kernels::build::{Kernel, right_operand};
use crate::kernels::{Conv, ConvKind, Epilogue, Launch, conv_depthwise};

pub use crate::kernels::conv::Params;

const WORKGROUP: usize = 64;
/// Positions of an invocation.
const TOGETHER: usize = 4;

/// Whether it is a depthwise convolution whose neighbours read neighbours.
pub fn applies(problem: &Conv) -> bool {
    let along = match problem.kind {
        ConvKind::Forward => problem.stride[2] <= 2,
        _ => problem.stride == [1; 3],
    };
    conv_depthwise::applies(problem) && along && problem.dilation[2] == 1
}

/// The launch for a depthwise convolution with multiplier 1, or its input gradient.
pub fn launch(problem: &Conv, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    if !applies(problem) {
        return Err(Error::Internal(format!("conv_depthwise_line for {problem:?}")));
    }
    let width = problem.out_extents()[2];
    let tiles = width.div_ceil(TOGETHER);
    let blocks = problem.rows() / width.max(1) * tiles * problem.groups / 4;
    let (backward, scale) = match problem.kind {
        ConvKind::Forward => (false, problem.stride[2]),
        _ => (true, 1),
    };
    let prelude = problem.prelude(WORKGROUP);
    Kernel {
        name: "conv_depthwise_line",
        label: problem.label("conv_depthwise_line"),
        prelude: format!("{prelude}const BACKWARD = {backward};\nconst SCALE = {scale}i;\n"),
        modules: right_operand(epilogue.right, true),
        params: &problem.params(0, tiles, blocks)?,
        groups: blocks.div_ceil(WORKGROUP),
        inputs: 2,
        fills_workgroup_memory: false,
    }
    .launch(caps, epilogue)
}
