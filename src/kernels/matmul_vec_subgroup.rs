//! Matrix product with few rows, by subgroups; see `shaders/matmul_vec_subgroup.wgsl`.

use crate::base::Result;
use crate::gpu::Caps;
use crate::kernels::build::{Kernel, right_operand};
use crate::kernels::{Epilogue, Launch, MatMul, matmul_vec};

/// Columns of a workgroup.
const COLS: usize = 8;

/// Whether the product has few enough rows and the adapter has subgroups.
pub fn applies(problem: &MatMul, caps: &Caps) -> bool {
    matmul_vec::applies(problem) && caps.subgroups.is_some()
}

/// The launch for a product with at most four rows.
pub fn launch(problem: &MatMul, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    let (params, groups) = matmul_vec::tiles(problem, COLS)?;
    Kernel {
        name: "matmul_vec_subgroup",
        label: problem.label("matmul_vec_subgroup"),
        prelude: String::new(),
        modules: right_operand(epilogue.right, false),
        params: &params,
        groups,
        inputs: 2,
        fills_workgroup_memory: true,
    }
    .launch(caps, epilogue)
}
