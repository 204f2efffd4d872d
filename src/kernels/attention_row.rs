//! Attention of few queries, as in decoding; see `shaders/attention_row.wgsl`.

use crate::base::Result;
use crate::gpu::Caps;
use crate::kernels::attention::{Attention, INPUTS};
use crate::kernels::attention_tile::{BLOCK, Params};
use crate::kernels::build::Kernel;
use crate::kernels::{Epilogue, Launch};

/// With more queries for each head, tiles are better filled.
const FEW_QUERIES: usize = 8;

/// Whether queries are few.
pub fn applies(problem: &Attention) -> bool {
    problem.queries <= FEW_QUERIES
}

/// The launch with one workgroup for each query.
pub fn launch(problem: &Attention, caps: &Caps, text: &Epilogue) -> Result<Launch> {
    let (params, groups) = Params::of(problem, 1)?;
    Kernel {
        name: "attention_row",
        label: problem.label("attention_row"),
        prelude: format!("const BLOCKS = {}u;\n", problem.width.div_ceil(BLOCK).max(1)),
        modules: Vec::new(),
        params: &params,
        groups,
        inputs: INPUTS,
        fills_workgroup_memory: true,
    }
    .launch(caps, text)
}
