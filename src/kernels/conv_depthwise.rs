//! Convolution of each channel by itself; see `shaders/conv_depthwise.wgsl`.

use crate::base::{Error, Result};
use crate::gpu::Caps;
use crate::kernels::build::{Kernel, right_operand};
use crate::kernels::{Conv, ConvKind, Epilogue, Launch};

pub use crate::kernels::conv::Params;

const WORKGROUP: usize = 64;

/// Whether every channel has one filter of its own, and channels come in fours.
pub fn applies(problem: &Conv) -> bool {
    problem.kind != ConvKind::FilterGrad
        && problem.groups == problem.in_channels
        && problem.groups == problem.out_channels
        && problem.groups.is_multiple_of(4)
}

/// The launch for a depthwise convolution with multiplier 1, or its input gradient.
pub fn launch(problem: &Conv, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    if !applies(problem) {
        return Err(Error::Internal(format!("conv_depthwise for {problem:?}")));
    }
    let quads = problem.rows() * problem.groups / 4;
    Kernel {
        name: "conv_depthwise",
        label: problem.label("conv_depthwise"),
        prelude: problem.prelude(WORKGROUP),
        modules: right_operand(epilogue.right, true),
        params: &problem.params(0, 0, quads)?,
        groups: quads.div_ceil(WORKGROUP),
        inputs: 2,
        fills_workgroup_memory: false,
    }
    .launch(caps, epilogue)
}
