//! Matrix product of float16 by a GPU's matrix units; see `shaders/matmul_matrix.wgsl`.

use crate::base::{Error, Result};
use crate::gpu::{Caps, Subgroups};
use crate::kernels::build::{Kernel, right_operand};
use crate::kernels::{Epilogue, Launch, MatMul, matmul_tile};

/// Subgroups of a workgroup.
const SUBGROUPS: u32 = 4;

/// Whether the operands are of float16 and the adapter has matrix units for them.
pub fn applies(problem: &MatMul, caps: &Caps) -> bool {
    problem.halves && subgroup(caps).is_some()
}

/// Invocations of every subgroup of an adapter with matrix units; they must all have as many, because
/// fragments are dealt to subgroups.
fn subgroup(caps: &Caps) -> Option<u32> {
    let Subgroups { least, most } = caps.subgroups?;
    let fits = least == most && SUBGROUPS * most <= caps.max_workgroup_size;
    (caps.matrix_units && caps.f16 && fits).then_some(most)
}

/// The launch for a product of any extents.
///
/// # Errors
/// [`Error::Internal`] where it does not apply.
pub fn launch(problem: &MatMul, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    let subgroup = subgroup(caps).filter(|_| problem.halves);
    let subgroup = subgroup.ok_or_else(|| {
        Error::Internal(format!("matrix units of '{}' for {problem:?}", caps.name))
    })?;
    let (params, groups) = problem.tiles([matmul_tile::TILE; 2])?;
    Kernel {
        name: "matmul_matrix",
        label: problem.label("matmul_matrix"),
        prelude: format!(
            "enable f16;\nenable wgpu_cooperative_matrix;\nconst SUBGROUP = {subgroup}u;\n"
        ),
        modules: right_operand(epilogue.right, false),
        params: &params,
        groups,
        inputs: 2,
        fills_workgroup_memory: true,
    }
    .launch(caps, epilogue)
}
