//! Matrix product with one row, for software adapters; see `shaders/matmul_line.wgsl`.

use crate::base::{Error, Result};
use crate::gpu::Caps;
use crate::kernels::build::{Kernel, is_fours, operands, words};
use crate::kernels::{Epilogue, Launch, MatMul};

/// Invocations of a workgroup: as many as a software adapter computes at a time.
const WORKGROUP: usize = 8;
/// Columns of an invocation.
const COLS: usize = 8;

/// The shader's `Params`.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    n: u32,
    k: u32,
    a_stride: u32,
    b_stride: u32,
    col_blocks: u32,
    blocks: u32,
}

/// Whether the product has one row.
pub fn applies(problem: &MatMul) -> bool {
    problem.m == 1
}

/// The launch for a product with one row, which lies along k whether or not A is transposed.
///
/// # Errors
/// [`Error::Internal`] where it does not apply.
pub fn launch(problem: &MatMul, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    if !applies(problem) {
        return Err(Error::Internal(format!("a product of one row for {problem:?}")));
    }
    let MatMul { batch, n, k, .. } = *problem;
    let col_blocks = n.div_ceil(COLS);
    let blocks = batch * col_blocks;
    // Lines of an operand may be any number; an empty one is too small to be bound in fours.
    let aligned = |line: usize| k > 0 && is_fours(line);
    let aligned = [aligned(k), aligned(if problem.transpose_b { k } else { n })];
    let [a_stride, b_stride] = words([problem.a_stride(), problem.b_stride()])?;
    let [n, k, col_blocks, count] = words([n, k, col_blocks, blocks])?;
    Kernel {
        name: "matmul_line",
        label: problem.label("matmul_line"),
        prelude: format!(
            "const WG = {WORKGROUP}u;\nconst B_TRANSPOSED = {};\n",
            problem.transpose_b
        ),
        modules: operands(epilogue.right, aligned),
        params: &Params { n, k, a_stride, b_stride, col_blocks, blocks: count },
        groups: blocks.div_ceil(WORKGROUP),
        inputs: 2,
        fills_workgroup_memory: false,
    }
    .launch(caps, epilogue)
}
