//! Attention by tiles of queries and keys; see `shaders/attention_tile.wgsl`.

use crate::base::Result;
use crate::gpu::Caps;
use crate::kernels::attention::{Attention, INPUTS};
use crate::kernels::build::{Kernel, words};
use crate::kernels::{Epilogue, Launch};

/// Queries of a workgroup.
const ROWS: usize = 64;
/// Columns of values that its invocations hold in one block of registers each.
pub(super) const BLOCK: usize = 64;

/// The shader's `Params`, also those of `attention_row`.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    queries: u32,
    keys: u32,
    depth: u32,
    width: u32,
    q: [u32; 3],
    tiles: u32,
    k: [u32; 3],
    groups: u32,
    v: [u32; 3],
    rest: u32,
}

impl Params {
    /// The parameters of workgroups for `rows` queries each, and how many workgroups there are.
    pub(super) fn of(problem: &Attention, rows: usize) -> Result<(Params, usize)> {
        let Attention { batch, queries, keys, depth, width, .. } = *problem;
        let tiles = queries.div_ceil(rows);
        let count = batch * tiles;
        let [q, k, v] = [words(problem.q)?, words(problem.k)?, words(problem.v)?];
        let [queries, keys, depth, width] = words([queries, keys, depth, width])?;
        let [tiles, groups] = words([tiles, count])?;
        let params = Params { queries, keys, depth, width, q, tiles, k, groups, v, rest: 0 };
        Ok((params, count))
    }
}

/// The launch for any number of queries and keys; values have at most four blocks of columns.
pub fn launch(problem: &Attention, caps: &Caps, text: &Epilogue) -> Result<Launch> {
    let (params, groups) = Params::of(problem, ROWS)?;
    Kernel {
        name: "attention_tile",
        label: problem.label("attention_tile"),
        prelude: format!("const BLOCKS = {}u;\n", problem.width.div_ceil(BLOCK).max(1)),
        modules: Vec::new(),
        params: &params,
        groups,
        inputs: INPUTS,
        fills_workgroup_memory: true,
    }
    .launch(caps, text)
}
