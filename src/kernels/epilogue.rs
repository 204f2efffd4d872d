//! The code behind a hand-written kernel's result.

use crate::base::dtype::Lane;
use crate::base::{DType, Result};
use crate::graph::NodeId;
use crate::kernels::expr::{Code, Expr};
use crate::kernels::{Access, Epilogue, HalfFormat, Right};
use crate::program::region::{Body, Inst};

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
    let right = Right::Words;
    Ok((Epilogue { source: text, operands: count, params, places, steps, right }, operands))
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
    if let Some((format, id)) = halves(unpacking, access) {
        let (text, mut operands) = epilogue(body, OUTPUT + 1, access)?;
        operands.insert(0, id);
        return Ok((Epilogue { right: Right::Halves(format), ..text }, operands));
    }
    let places = access.places.len();
    let mut expr = Expr::new(access, RIGHT, &[]).with_hole(OUTPUT..OUTPUT + places);
    expr.function("element_b", unpacking, None, &["i"])?;
    expr.function("epilogue", body, Some(Lane::F32), &["b", "row", "col"])?;
    let operands = expr.operands();
    let Code { text, params, steps } = expr.finish(body.dtype().lane(), OUTPUT + 1);
    let count = operands.len().saturating_sub(1);
    let right = Right::Computed;
    Ok((Epilogue { source: text, operands: count, params, places, steps, right }, operands))
}

/// The packed value that code only takes the elements of as they lie, when they are of 16 bits.
fn halves(unpacking: &Body, access: &Access<'_>) -> Option<(HalfFormat, NodeId)> {
    let [Inst::Load { operand, dtype, at }] = unpacking.code.as_slice() else { return None };
    let format = match dtype {
        DType::Float16 => HalfFormat::Float16,
        DType::BFloat16 => HalfFormat::BFloat16,
        _ => return None,
    };
    let id = unpacking.operands[*operand];
    let whole = (access.is_packed)(id) && (access.rows_of)(id).is_none();
    (whole && *at == unpacking.space.position(0..1)).then_some((format, id))
}
