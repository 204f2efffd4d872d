//! Convolution element by element, for groups of few channels; see `shaders/conv_direct.wgsl`.

use crate::base::Result;
use crate::gpu::Caps;
use crate::kernels::build::{Kernel, right_operand};
use crate::kernels::{Conv, Epilogue, Launch};

pub use crate::kernels::conv::Params;

const WORKGROUP: usize = 64;

/// The launch for a convolution or its input gradient.
pub fn launch(problem: &Conv, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    let elements = problem.rows() * problem.groups * problem.cols();
    Kernel {
        name: "conv_direct",
        label: problem.label("conv_direct"),
        prelude: problem.prelude(WORKGROUP),
        modules: right_operand(epilogue.right, false),
        params: &problem.params(0, 0, elements)?,
        groups: elements.div_ceil(WORKGROUP),
        inputs: 2,
        fills_workgroup_memory: false,
    }
    .launch(caps, epilogue)
}
