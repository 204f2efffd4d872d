//! Masks of attention and the softmax under them.

use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::layers::large_negative;

/// A mask `(batch, steps)` with an axis of extent 1 put in.
pub(super) fn mask_at(mask: Value<'_>, axis: usize) -> Result<Value<'_>> {
    let mut extents = mask.shape().to_vec();
    if axis > extents.len() {
        let expected = "a batch and a time axis";
        return Err(Error::shape("attention mask", mask.shape().to_string(), expected));
    }
    extents.insert(axis, 1);
    Ok(mask.cast(DType::Bool).reshape(extents))
}

/// Query position less key position, as `(1, queries, keys)`.
pub(super) fn distance<'g>(like: Value<'g>, queries: usize, keys: usize) -> Value<'g> {
    let graph = like.graph();
    graph.iota([1, queries, keys], 1) - graph.iota([1, queries, keys], 2)
}

/// The conjunction of the masks that are there.
pub(super) fn all_of<'g>(masks: impl IntoIterator<Item = Option<Value<'g>>>) -> Option<Value<'g>> {
    masks.into_iter().flatten().reduce(|a, b| a.binary("and", b))
}

/// Softmax over `axes` of the scores that a mask leaves. Where a mask leaves nothing, the shares are
/// zero if `zero` says so, else all equal.
pub(super) fn masked_softmax<'g>(
    scores: Value<'g>,
    mask: Option<Value<'g>>,
    axes: &[usize],
    zero: bool,
) -> Value<'g> {
    let Some(mask) = mask else { return scores.softmax(axes) };
    let shares = mask.select(scores, scores.like(large_negative(scores))).softmax(axes);
    if zero { mask.select(shares, shares.like(0.0)) } else { shares }
}
