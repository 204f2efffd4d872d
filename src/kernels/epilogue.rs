//! The code behind a hand-written kernel's result.

use crate::base::dtype::Lane;
use crate::base::{DType, Result};
use crate::graph::NodeId;
use crate::kernels::Epilogue;
use crate::kernels::expr::Expr;
use crate::program::region::Body;

/// The epilogue that a body is, and the values it reads, bound from `first_binding` on.
pub fn epilogue(
    body: &Body,
    first_binding: usize,
    dtype_of: &dyn Fn(NodeId) -> DType,
) -> Result<(Epilogue, Vec<NodeId>)> {
    if body.is_identity() && body.dtype() == DType::Float32 {
        return Ok((Epilogue::identity(), Vec::new()));
    }
    let mut expr = Expr::new(first_binding, &[]);
    expr.function("epilogue", body, Some(Lane::F32), &["b", "row", "col"], dtype_of)?;
    let operands = expr.operands();
    let (source, params) = expr.finish(body.dtype().lane(), 1, false);
    Ok((Epilogue { source, operands: operands.len(), params }, operands))
}
