//! Gradient of a convolution with respect to its filter, for software adapters; see
//! `shaders/conv_filter_grad.wgsl`.

use crate::base::Result;
use crate::gpu::Caps;
use crate::kernels::build::{Kernel, operands};
use crate::kernels::{Conv, Epilogue, Launch, Right};

pub use crate::kernels::conv::Params;

const WORKGROUP: usize = 16;
/// Channels or filters of a block, where there are so many.
const EDGE: usize = 8;
/// Where they are fewer.
pub(super) const SMALL_EDGE: usize = 4;

/// The launch for a filter's gradient.
pub fn launch(problem: &Conv, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    let edge = |extent: usize| if extent > SMALL_EDGE { EDGE } else { SMALL_EDGE };
    let edges = [edge(problem.depth()), edge(problem.cols())];
    let [rows, cols, blocks] = blocks(problem, edges);
    Kernel {
        name: "conv_filter_grad",
        label: problem.label("conv_filter_grad"),
        prelude: prelude(problem, WORKGROUP, edges),
        modules: operands(Right::Words, problem.alignment()),
        params: &problem.params(rows, cols, blocks)?,
        groups: blocks.div_ceil(WORKGROUP),
        inputs: 2,
        fills_workgroup_memory: false,
    }
    .launch(caps, epilogue)
}

/// The prelude for blocks with these many channels and filters.
pub(super) fn prelude(problem: &Conv, workgroup: usize, [rows, cols]: [usize; 2]) -> String {
    let prelude = problem.prelude(workgroup);
    format!("{prelude}const ROWS = {rows}u;\nconst COLS = {cols}u;\n")
}

/// Blocks along the channels and filters of one tap and group, and in all.
pub(super) fn blocks(problem: &Conv, [rows, cols]: [usize; 2]) -> [usize; 3] {
    let (rows, cols) = (problem.depth().div_ceil(rows), problem.cols().div_ceil(cols));
    [rows, cols, problem.groups * problem.taps() * rows * cols]
}
