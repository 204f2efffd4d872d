//! Element by element; see `shaders/map.wgsl` and `map_tiled.wgsl`.

use crate::base::Result;
use crate::gpu::{Caps, Kind, shader};
use crate::graph::NodeId;
use crate::kernels::build::words;
use crate::kernels::expr::Expr;
use crate::kernels::{Access, Launch, fold};
use crate::program::region::{Body, Inst};

pub(super) const WORKGROUP: usize = 64;

/// The launch that stores a body's value at each of `len` elements, and the values it reads, in the
/// order of their bindings; the output is bound last.
pub fn launch(
    body: &Body,
    len: usize,
    caps: &Caps,
    access: &Access<'_>,
) -> Result<(Launch, Vec<NodeId>)> {
    let tiling = Tiling::of(body, caps);
    let (kernel, header, prelude, groups) = match &tiling {
        None => {
            let prelude = format!("const WG = {WORKGROUP}u;\n");
            ("map", vec![len as u32], prelude, len.div_ceil(WORKGROUP))
        }
        Some(tiling) => {
            let prelude = format!("const TILE = {TILE}u;\n");
            let [along_d, along_l, tiles] = tiling.tiles();
            let [d, m, l] = tiling.extents;
            let header = words([len, d, m, l, along_d, along_l, tiles])?;
            ("map_tiled", header.to_vec(), prelude, tiles)
        }
    };
    let mut expr = Expr::new(access, 0, &header);
    expr.function("value", body, None, &["i"])?;
    let operands = expr.operands();
    let code = expr.finish_with_output(body.dtype().lane());
    let launch = Launch {
        kernel,
        label: format!("{kernel} {len}"),
        source: shader::compose(kernel, &prelude, &[("generated", &code.text)])?,
        params: code.params,
        extra: Vec::new(),
        steps: code.steps,
        grid: fold(groups, caps, kernel)?,
        bindings: operands.len() + access.places.len(),
        first_output: operands.len(),
        outputs: access.places.len(),
        fills_workgroup_memory: false,
        work: 0,
        choice: None,
    };
    Ok((launch, operands))
}

/// How workgroups cover a map that reads neighbours along another dimension than it stores them.
struct Tiling {
    slabs: usize,
    /// The dimension along which neighbours are read, the elements between it and the last one, the
    /// last one.
    extents: [usize; 3],
}

/// Elements that fill a transaction of memory of 32 bytes.
const TRANSACTION: usize = 8;
/// Elements along both sides of a tile.
const TILE: usize = 2 * TRANSACTION;

impl Tiling {
    /// No tiling for a software adapter: it reads word by word, and tiles take as long as lines.
    fn of(body: &Body, caps: &Caps) -> Option<Tiling> {
        if caps.kind == Kind::Software {
            return None;
        }
        let dims = &body.space.dims;
        let last = dims.len().checked_sub(1)?;
        let wide = |dim: usize| dims[dim] >= TRANSACTION;
        let across = |inst: &Inst| {
            let Inst::Load { at, .. } = inst else { return None };
            let far = at.strides[last].unsigned_abs() > 1;
            (0..last).find(|&dim| far && at.strides[dim] == 1 && wide(dim))
        };
        let dim = body.code.iter().find_map(across).filter(|_| wide(last))?;
        let [outside, between]: [usize; 2] =
            [&dims[..dim], &dims[dim + 1..last]].map(|d| d.iter().product());
        let extents = [dims[dim], between, dims[last]];
        Some(Tiling { slabs: outside * between, extents })
    }

    /// Tiles along both sides, and in all.
    fn tiles(&self) -> [usize; 3] {
        let [d, _, l] = self.extents;
        let (along_d, along_l) = (d.div_ceil(TILE), l.div_ceil(TILE));
        [along_d, along_l, self.slabs * along_d * along_l]
    }
}
