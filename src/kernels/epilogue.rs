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
    Ok((Epilogue { source, operands: operands.len(), params, computes_b: false }, operands))
}

/// Binding of a product's right operand.
const RIGHT: usize = 1;
/// Binding of a product's output.
const OUTPUT: usize = 2;

/// The text for a product whose right operand is computed by `unpacking` where it is read, and the
/// values that both bodies read, bound to what is free from the right operand's binding on.
pub fn around_product(
    unpacking: &Body,
    body: &Body,
    dtype_of: &dyn Fn(NodeId) -> DType,
) -> Result<(Epilogue, Vec<NodeId>)> {
    let mut expr = Expr::new(RIGHT, &[]).with_hole(OUTPUT);
    expr.function("element_b", unpacking, None, &["i"], dtype_of)?;
    expr.function("epilogue", body, Some(Lane::F32), &["b", "row", "col"], dtype_of)?;
    let operands = expr.operands();
    let (source, params) = expr.finish(body.dtype().lane(), 1, false);
    let more = operands.len().saturating_sub(1);
    Ok((Epilogue { source, operands: more, params, computes_b: true }, operands))
}
