//! Gradient of pooling with respect to its input; see `shaders/pool_grad.wgsl` for sums and
//! averages, `shaders/pool_max_grad.wgsl` for maxima.

use crate::base::Result;
use crate::gpu::Caps;
use crate::kernels::build::Kernel;
use crate::kernels::pool::WORKGROUP;
use crate::kernels::{Epilogue, Launch, Pool, PoolMode};

pub use crate::kernels::pool::Params;

/// The launch for a gradient. Sums and averages bind the output's gradient and the input's; maxima
/// bind the input, the output's gradient and the input's gradient, so that an epilogue's own
/// operands start one binding later.
pub fn launch(problem: &Pool, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    let elements = problem.elements(problem.input);
    let (name, inputs) =
        if problem.mode == PoolMode::Max { ("pool_max_grad", 2) } else { ("pool_grad", 1) };
    Kernel {
        name,
        label: problem.label(name),
        prelude: format!("const WG = {WORKGROUP}u;\n"),
        modules: Vec::new(),
        params: &problem.params(elements)?,
        groups: elements.div_ceil(WORKGROUP),
        inputs,
        fills_workgroup_memory: false,
    }
    .launch(caps, epilogue)
}
