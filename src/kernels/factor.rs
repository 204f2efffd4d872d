//! Factorisations of small matrices; see `shaders/cholesky.wgsl`, `lu.wgsl`, `qr.wgsl`, `eigh.wgsl` and
//! `svd.wgsl`.

use crate::base::{Error, Result};
use crate::gpu::{Caps, Kind};
use crate::graph::ops::{Factor, FactorKind};
use crate::kernels::build::{Kernel, words};
use crate::kernels::{Epilogue, Launch};

/// Invocations per workgroup: few, since batches are small and every invocation works long.
const WORKGROUP: usize = 16;

/// The most rows or columns of a matrix. One invocation takes it apart, and drivers end what takes them
/// more than seconds.
const MAX_EXTENT: usize = 512;

/// The shader's `Params`.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    batch: u32,
    m: u32,
    n: u32,
    columns: u32,
    len: u32,
}

/// The launch for matrices `[batch, m, n]`; binds them and the output.
pub fn launch(op: &Factor, [batch, m, n]: [usize; 3], caps: &Caps) -> Result<Launch> {
    let (name, columns) = match op.kind {
        FactorKind::Cholesky => ("cholesky", 0),
        FactorKind::Lu => ("lu", 0),
        FactorKind::Qr { columns } => ("qr", columns),
        FactorKind::Eigh => ("eigh", 0),
        FactorKind::Svd { columns } => ("svd", columns),
    };
    if m.max(n) > MAX_EXTENT {
        return Err(Error::Limit {
            what: format!("matrices of {name} on a GPU"),
            need: format!("{m} × {n}"),
            limit: format!("{MAX_EXTENT} rows and columns; the host has no such limit"),
            owner: "one invocation for each matrix".into(),
        });
    }
    refuse_long_loops(name, iterations(op, [m, n]), caps)?;
    let len = op.starts([m, n]).last().copied().unwrap_or_default();
    let [batch_word, m_word, n_word, columns, len] = words([batch, m, n, columns, len])?;
    words([batch.saturating_mul(len as usize)])?;
    let params = Params { batch: batch_word, m: m_word, n: n_word, columns, len };
    Kernel {
        name,
        label: format!("{name} {batch}x{m}x{n}"),
        prelude: format!("const WG = {WORKGROUP}u;\n"),
        modules: Vec::new(),
        params: &params,
        groups: batch.div_ceil(WORKGROUP),
        inputs: 1,
        fills_workgroup_memory: false,
    }
    .launch(caps, &Epilogue::none())
}

/// The most iterations of all loops together that an invocation gets from lavapipe, which ends them then
/// without a word.
const SOFTWARE_ITERATIONS: usize = 65_535;

/// Refuses what a software adapter would not bring to an end.
pub(super) fn refuse_long_loops(name: &str, iterations: usize, caps: &Caps) -> Result<()> {
    if caps.kind != Kind::Software || iterations <= SOFTWARE_ITERATIONS {
        return Ok(());
    }
    Err(Error::Limit {
        what: format!("{name} on a software adapter"),
        need: format!("loops of some {iterations} iterations"),
        limit: format!("{SOFTWARE_ITERATIONS}; the host has no such limit"),
        owner: format!("adapter '{}'", caps.name),
    })
}

/// About how many iterations one matrix takes, rather more than fewer.
fn iterations(op: &Factor, [m, n]: [usize; 2]) -> usize {
    let steps = m.min(n);
    let sum = |part: &dyn Fn(usize) -> usize| (0..steps).map(part).sum::<usize>();
    let copy = m * n;
    copy + match op.kind {
        FactorKind::Cholesky => n * n * n / 6 + 2 * n * n,
        FactorKind::Lu => 2 * m + sum(&|i| (m - i) * (n - i + 2) + n),
        FactorKind::Qr { columns } => {
            m * columns + sum(&|i| (m - i) * (2 * (n - i) + 2 * columns + 3) + n + columns)
        }
        FactorKind::Eigh => 4 * n * n * n + 4 * n * n,
        FactorKind::Svd { columns } => {
            let vectors = if columns == 0 { 0 } else { m * columns + n * n };
            let reflections = sum(&|i| (m - i) * (4 * (n - i) + 6 + 2 * columns) + 2 * n * (n - i));
            let turns = 2 * n * n * if columns == 0 { 4 } else { m + n + 4 };
            vectors + reflections + turns
        }
    }
}
