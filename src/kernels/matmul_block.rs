//! Matrix product by register blocks, for software adapters; see `shaders/matmul_block.wgsl`.

use crate::base::Result;
use crate::gpu::Caps;
use crate::kernels::build::{Kernel, is_fours, operands, words};
use crate::kernels::{Epilogue, Launch, MatMul};

const WORKGROUP: usize = 16;
const BLOCK: usize = 8;

/// The shader's `Params`.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    m: u32,
    n: u32,
    k: u32,
    a_stride: u32,
    b_stride: u32,
    row_blocks: u32,
    col_blocks: u32,
    blocks: u32,
}

/// The launch for a product of any extents.
pub fn launch(problem: &MatMul, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    let MatMul { batch, m, n, k, .. } = *problem;
    let (row_blocks, col_blocks) = (m.div_ceil(BLOCK), n.div_ceil(BLOCK));
    let blocks = batch * row_blocks * col_blocks;
    let [a_stride, b_stride] = words([problem.a_stride(), problem.b_stride()])?;
    let [row_blocks, col_blocks, count] = words([row_blocks, col_blocks, blocks])?;
    // Lines of an operand may be any number; an empty one is too small to be bound in fours.
    let aligned = |line: usize| k > 0 && is_fours(line);
    let aligned_a = aligned(if problem.transpose_a { m } else { k });
    let aligned_b = aligned(if problem.transpose_b { k } else { n });
    let [m, n, k] = words([m, n, k])?;
    Kernel {
        name: "matmul_block",
        label: problem.label("matmul_block"),
        prelude: format!(
            "const WG = {WORKGROUP}u;\nconst A_TRANSPOSED = {};\nconst B_TRANSPOSED = {};\n",
            problem.transpose_a, problem.transpose_b
        ),
        modules: operands(epilogue.right, [aligned_a, aligned_b]),
        params: &Params { m, n, k, a_stride, b_stride, row_blocks, col_blocks, blocks: count },
        groups: blocks.div_ceil(WORKGROUP),
        inputs: 2,
        fills_workgroup_memory: false,
    }
    .launch(caps, epilogue)
}
