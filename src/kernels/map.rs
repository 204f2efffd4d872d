//! Element by element; see `shaders/map.wgsl`.

use crate::base::Result;
use crate::gpu::{Caps, shader};
use crate::graph::NodeId;
use crate::kernels::expr::Expr;
use crate::kernels::{Access, Launch, fold};
use crate::program::region::Body;

pub(super) const WORKGROUP: usize = 64;

/// The launch that stores a body's value at each of `len` elements, and the values it reads, in the
/// order of their bindings; the output is bound last.
pub fn launch(
    body: &Body,
    len: usize,
    caps: &Caps,
    access: &Access<'_>,
) -> Result<(Launch, Vec<NodeId>)> {
    let mut expr = Expr::new(access, 0, &[len as u32]);
    expr.function("value", body, None, &["i"])?;
    let operands = expr.operands();
    let code = expr.finish_with_output(body.dtype().lane());
    let launch = Launch {
        kernel: "map",
        label: format!("map {len}"),
        source: shader::compose(
            "map",
            &format!("const WG = {WORKGROUP}u;\n"),
            &[("generated", &code.text)],
        )?,
        params: code.params,
        extra: Vec::new(),
        steps: code.steps,
        grid: fold(len.div_ceil(WORKGROUP), caps, "map")?,
        bindings: operands.len() + access.places.len(),
        first_output: operands.len(),
        outputs: access.places.len(),
        fills_workgroup_memory: false,
    };
    Ok((launch, operands))
}
