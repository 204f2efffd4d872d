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
    Ok((Epilogue { source: text, operands: count, params, places, steps }, operands))
}
