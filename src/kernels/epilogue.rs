//! The code behind a hand-written kernel's result.

use crate::base::dtype::Lane;
use crate::base::{DType, Result};
use crate::graph::NodeId;
use crate::kernels::expr::{Code, Expr};
use crate::kernels::{Access, Epilogue};
use crate::program::region::Body;

/// The epilogue that a body is, and the values it reads. The bindings from `first_binding` on are its
/// own.
pub fn epilogue(
    body: &Body,
    first_binding: usize,
    access: &Access<'_>,
) -> Result<(Epilogue, Vec<NodeId>)> {
    if body.is_identity() && body.dtype() == DType::Float32 && access.is_plain() {
        return Ok((Epilogue::identity(), Vec::new()));
    }
    let mut expr = Expr::new(access, first_binding + access.places.len() - 1, &[]);
    expr.function("epilogue", body, Some(Lane::F32), &["b", "row", "col"])?;
    let operands = expr.operands();
    let Code { text, params, steps } = expr.finish(body.dtype().lane(), first_binding);
    let (count, places) = (operands.len(), access.places.len());
    let computes_b = false;
    Ok((Epilogue { source: text, operands: count, params, places, steps, computes_b }, operands))
}

/// Binding of a product's right operand.
const RIGHT: usize = 1;
/// Binding of a product's output.
const OUTPUT: usize = 2;

/// The text for a product or convolution whose right operand is computed by `unpacking` where it is
/// read, and the values that both bodies read, bound to what is free from the right operand's binding
/// on.
pub fn around_product(
    unpacking: &Body,
    body: &Body,
    access: &Access<'_>,
) -> Result<(Epilogue, Vec<NodeId>)> {
    let places = access.places.len();
    let mut expr = Expr::new(access, RIGHT, &[]).with_hole(OUTPUT..OUTPUT + places);
    expr.function("element_b", unpacking, None, &["i"])?;
    expr.function("epilogue", body, Some(Lane::F32), &["b", "row", "col"])?;
    let operands = expr.operands();
    let Code { text, params, steps } = expr.finish(body.dtype().lane(), OUTPUT + 1);
    let count = operands.len().saturating_sub(1);
    let computes_b = true;
    Ok((Epilogue { source: text, operands: count, params, places, steps, computes_b }, operands))
}
