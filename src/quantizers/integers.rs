//! Sums of products of bytes, exact as in 32-bit integers.

use crate::base::{DType, Result};
use crate::graph::Value;

/// So many products of two bytes add up to at most 2²⁴, below which float32 holds every integer.
const EXACT: usize = 1024;

/// An axis that a contraction sums over, in its first and in its second operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summed {
    /// The axis in the first operand, if it has it.
    pub a: Option<usize>,
    /// The axis in the second operand, if it has it.
    pub b: Option<usize>,
}

/// A contraction of int8 operands whose sums are int32, as in Keras; `contract` computes it for
/// floats, and sums over `axes`.
///
/// Longer sums are cut in two, so that each part is exact.
///
/// # Errors
/// Those of `contract`.
pub fn contract_integers<'g>(
    a: Value<'g>,
    b: Value<'g>,
    axes: &[Summed],
    contract: &dyn Fn(Value<'g>, Value<'g>) -> Result<Value<'g>>,
) -> Result<Value<'g>> {
    let extent = |axis: &Summed| match (axis.a, axis.b) {
        (Some(axis), _) => a.extent(axis),
        (None, Some(axis)) => b.extent(axis),
        (None, None) => 1,
    };
    let terms: usize = axes.iter().map(extent).product();
    let longest = axes.iter().max_by_key(|&axis| extent(axis));
    let Some(longest) = longest.filter(|_| terms > EXACT) else {
        return Ok(contract(a.cast(DType::Float32), b.cast(DType::Float32))?.cast(DType::Int32));
    };
    let (whole, half) = (extent(longest), extent(longest) / 2);
    let part = |start, size| {
        let cut = |v: Value<'g>, axis: Option<usize>| match axis {
            Some(axis) => v.narrow(axis, start, size),
            None => v,
        };
        contract_integers(cut(a, longest.a), cut(b, longest.b), axes, contract)
    };
    Ok(part(0, half)? + part(half, whole - half)?)
}
