//! Matrix product by tiles in workgroup memory, for GPUs; see `shaders/matmul_tile.wgsl`.

use crate::base::Result;
use crate::gpu::Caps;
use crate::kernels::build::{Kernel, right_operand};
use crate::kernels::{Epilogue, Launch, MatMul};

/// Rows and columns of a tile.
pub(super) const TILE: usize = 64;

/// The launch for a product of any extents.
pub fn launch(problem: &MatMul, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    let (params, groups) = problem.tiles([TILE; 2])?;
    Kernel {
        name: "matmul_tile",
        label: problem.label("matmul_tile"),
        prelude: String::new(),
        modules: right_operand(epilogue.right, false),
        params: &params,
        groups,
        inputs: 2,
        fills_workgroup_memory: true,
    }
    .launch(caps, epilogue)
}
