//! Triangular systems; see `shaders/triangular_solve.wgsl`.

use crate::base::Result;
use crate::gpu::Caps;
use crate::graph::ops::TriangularSolve;
use crate::kernels::build::{Kernel, words};
use crate::kernels::factor::refuse_long_loops;
use crate::kernels::map::WORKGROUP;
use crate::kernels::{Epilogue, Launch};

/// The shader's `Params`.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    columns: u32,
    n: u32,
    k: u32,
}

/// The launch for right-hand sides `[batch, n, k]`; binds the matrices, these and the output.
pub fn launch(op: &TriangularSolve, [batch, n, k]: [usize; 3], caps: &Caps) -> Result<Launch> {
    refuse_long_loops("triangular_solve", n * n / 2 + n, caps)?;
    let [columns, n_word, k_word] = words([batch * k, n, k])?;
    let flags =
        [("FORWARD", op.forward()), ("TRANSPOSE", op.transpose), ("UNIT", op.unit_diagonal)];
    let flags = flags.map(|(name, set)| format!("const {name} = {set};\n")).concat();
    Kernel {
        name: "triangular_solve",
        label: format!("triangular_solve {batch}x{n}x{k}"),
        prelude: format!("const WG = {WORKGROUP}u;\n{flags}"),
        modules: Vec::new(),
        params: &Params { columns, n: n_word, k: k_word },
        groups: (batch * k).div_ceil(WORKGROUP),
        inputs: 2,
        fills_workgroup_memory: false,
    }
    .launch(caps, &Epilogue::none())
}
