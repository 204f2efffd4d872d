//! One step of sorting; see `shaders/sort_step.wgsl`.

use crate::base::Result;
use crate::gpu::Caps;
use crate::graph::ops::SortStep;
use crate::kernels::build::{Kernel, words};
use crate::kernels::map::WORKGROUP;
use crate::kernels::{Epilogue, Launch};

/// The shader's `Params`.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    elements: u32,
    n: u32,
    run: u32,
    group: u32,
}

/// The launch for `rows` orders of `n` entries; binds the keys, the order and the output.
pub fn launch(op: &SortStep, [rows, n]: [usize; 2], caps: &Caps) -> Result<Launch> {
    let elements = rows * n;
    let [elements_word, n_word, run, group] = words([elements, n, op.run, op.group])?;
    let params = Params { elements: elements_word, n: n_word, run, group };
    Kernel {
        name: "sort_step",
        label: format!("sort_step {rows}x{n} {} to {}", op.run, op.group),
        prelude: format!("const WG = {WORKGROUP}u;\n"),
        modules: Vec::new(),
        params: &params,
        groups: elements.div_ceil(WORKGROUP),
        inputs: 2,
        fills_workgroup_memory: false,
    }
    .launch(caps, &Epilogue::none())
}
