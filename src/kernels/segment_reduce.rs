//! Rows combined by segment; see `shaders/segment_reduce.wgsl`.

use crate::base::{DType, Result};
use crate::gpu::{Caps, shader};
use crate::graph::ops::SegmentReduce;
use crate::kernels::build::words;
use crate::kernels::map::WORKGROUP;
use crate::kernels::reduce::{RUN, combining};
use crate::kernels::{Launch, fold};

/// Columns of a segment that one invocation combines: finding a segment's rows takes as long as
/// combining a few, and most rows of a large table have none.
const COLUMNS: usize = 8;

/// The launch for values `[n, inner]` of a dtype that fills its word; binds the segments' numbers,
/// the rows, the values and the output.
pub fn launch(
    op: &SegmentReduce,
    [n, inner]: [usize; 2],
    dtype: DType,
    caps: &Caps,
) -> Result<Launch> {
    let lanes = inner.div_ceil(COLUMNS).max(1);
    let invocations = op.segments * lanes;
    let label = format!("segment_reduce {n}x{inner} to {}", op.segments);
    let combining = combining(op.kind, dtype, "");
    let generated = format!("alias Acc = {};\n{combining}", dtype.lane().wgsl());
    let prelude = format!("const WG = {WORKGROUP}u;\nconst RUN = {RUN}u;\n");
    Ok(Launch {
        kernel: "segment_reduce",
        source: shader::compose("segment_reduce", &prelude, &[("generated", &generated)])?,
        params: words([invocations, n, inner, lanes])?.to_vec(),
        extra: Vec::new(),
        steps: false,
        grid: fold(invocations.div_ceil(WORKGROUP), caps, &label)?,
        label,
        bindings: 4,
        first_output: 3,
        outputs: 1,
        fills_workgroup_memory: false,
        work: 0,
        choice: None,
    })
}
