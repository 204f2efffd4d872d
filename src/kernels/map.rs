//! Element by element; see `shaders/map.wgsl`.

use crate::base::{DType, Result};
use crate::gpu::{Caps, shader};
use crate::graph::NodeId;
use crate::kernels::expr::Expr;
use crate::kernels::{Launch, fold};
use crate::program::region::Body;

pub(super) const WORKGROUP: usize = 64;

/// The launch that stores a body's value at each of `len` elements, and the values it reads, in the
/// order of their bindings; the output is bound last.
pub fn launch(
    body: &Body,
    len: usize,
    caps: &Caps,
    dtype_of: &dyn Fn(NodeId) -> DType,
) -> Result<(Launch, Vec<NodeId>)> {
    let mut expr = Expr::new(0, &[len as u32]);
    expr.function("value", body, None, &["i"], dtype_of)?;
    let operands = expr.operands();
    let (text, params) = expr.finish(body.dtype().lane(), 0, true);
    let launch = Launch {
        kernel: "map",
        label: format!("map {len}"),
        source: shader::compose(
            "map",
            &format!("const WG = {WORKGROUP}u;\n"),
            &[("generated", &text)],
        )?,
        params,
        extra: Vec::new(),
        grid: fold(len.div_ceil(WORKGROUP), caps, "map")?,
        bindings: operands.len() + 1,
        first_output: operands.len(),
        outputs: 1,
        fills_workgroup_memory: false,
    };
    Ok((launch, operands))
}
