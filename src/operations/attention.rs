//! `keras.ops.dot_product_attention`.

use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::graph::einsum::einsum;
use crate::operations::call::{Call, Operand};
use crate::operations::operations;
use crate::operations::promotion::result_type;

operations! {
    /// Attention by products of queries and keys.
    ATTENTION:
    DotProductAttention(query, key, value, bias, mask, scale)
        { is_causal: false, flash_attention: null, attn_logits_soft_cap: null } |c| attention(c);
}

/// softmax(scale · query · keyᵀ + bias, where the mask allows) · value, of query (B, T, N, H), key and
/// value (B, S, K, H) → (B, T, N, H): each of the K heads of keys serves N / K heads of queries.
/// Scores and shares are computed in float32, as JAX does for every dtype.
fn attention<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    check_settings(c)?;
    let operands = [c.operand(0)?, c.operand(1)?, c.operand(2)?];
    let dtype = result_type(&operands.map(Operand::kind));
    let [query, key, value] = operands.map(|o| o.cast(c.cx, dtype));
    let (queries, keys) = (query.shape(), key.shape());
    let (&[b, t, n, h], &[_, s, k, _]) = (queries.as_slice(), keys.as_slice()) else {
        return Err(misfit([query, key, value]));
    };
    let fits = *keys.as_slice() == [b, s, k, h]
        && value.shape() == keys
        && k > 0
        && n.is_multiple_of(k)
        && dtype.is_float();
    if !fits {
        return Err(misfit([query, key, value]));
    }
    let groups = query.cast(DType::Float32).reshape([b, t, k, n / k, h]);
    let scores = einsum("btkgh,bskh->bkgts", &[groups, key.cast(DType::Float32)])?;
    let scores = scores.reshape([b, n, t, s]);
    let scale = match c.optional(5)? {
        Some(scale) => scale.cast(c.cx, DType::Float32),
        None => scores.scalar_like(1.0 / (h as f64).sqrt()),
    };
    let mut scores = scores * scale;
    if let Some(bias) = c.optional(3)? {
        scores =
            scores + for_scores(c, 3, bias.cast(c.cx, dtype), [b, n, t, s])?.cast(DType::Float32);
    }
    if let Some(mask) = allowed(c, [b, n, t, s])? {
        // As far away as JAX puts what may not take part: a row without any is shared by all.
        scores = mask.select(scores, scores.scalar_like(-0.7 * f64::from(f32::MAX)));
    }
    let shares = scores.softmax(&[3]).cast(dtype).reshape([b, k, n / k, t, s]);
    Ok(einsum("bkgts,bskh->btkgh", &[shares, value])?.reshape([b, t, n, h]))
}

/// Flash attention is another way to the same numbers; a soft cap is not.
fn check_settings(c: &Call<'_, '_>) -> Result<()> {
    c.config.optional_bool("flash_attention")?;
    if !c.config.is_null("attn_logits_soft_cap") {
        let what = "attn_logits_soft_cap, which Keras has on TPUs only";
        return Err(Error::Unsupported(what.into()));
    }
    Ok(())
}

fn misfit(operands: [Value<'_>; 3]) -> Error {
    let found = operands.map(|v| v.spec().to_string()).join(", ");
    let expected = "query (B, T, N, H), key and value (B, S, K, H), N a multiple of K, floating";
    Error::shape("dot_product_attention", found, expected)
}

/// A bias or mask, which is as large as the scores or 1 along each axis.
fn for_scores<'g>(
    c: &Call<'_, 'g>,
    position: usize,
    x: Value<'g>,
    scores: [usize; 4],
) -> Result<Value<'g>> {
    let shape = x.shape();
    let fits =
        shape.rank() == 4 && shape.iter().zip(scores).all(|(&d, whole)| d == 1 || d == whole);
    let [b, n, t, s] = scores;
    let expected = || format!("(B, N, T, S) = ({b}, {n}, {t}, {s}), or 1 along some axes");
    if fits { Ok(x) } else { Err(c.bad(position, &expected())) }
}

/// Where a query may look at a key: what the mask says, and no key later than the query if causal.
fn allowed<'g>(c: &Call<'_, 'g>, scores: [usize; 4]) -> Result<Option<Value<'g>>> {
    let mask = match c.optional(4)? {
        None => None,
        Some(_) => {
            let mask = c.value(4)?;
            if mask.dtype() != DType::Bool {
                return Err(c.bad(4, "booleans"));
            }
            Some(for_scores(c, 4, mask, scores)?)
        }
    };
    let [_, _, t, s] = scores;
    let causal = c.config.bool("is_causal")?.then(|| {
        let graph = c.cx.graph();
        graph.iota([1, 1, t, s], 2).binary("ge", graph.iota([1, 1, t, s], 3))
    });
    Ok(mask.into_iter().chain(causal).reduce(|a, b| a.binary("and", b)))
}
