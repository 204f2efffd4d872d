//! Attention without a matrix of scores: the problem, its text, and the choice among its kernels.

use crate::base::Result;
use crate::base::dtype::Lane;
use crate::gpu::Caps;
use crate::graph::NodeId;
use crate::kernels::expr::{Code, Expr};
use crate::kernels::{Access, Epilogue, Launch, MatMul, Right, attention_row, attention_tile};
use crate::program::region::{AttentionPlan, Body};

/// `out[b,t,v] = Σs share(softmax over s of score(Σd Q[b,t,d]·K[b,s,d]))·V[b,s,v]`, all float32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attention {
    /// Number of heads in all samples.
    pub batch: usize,
    /// Queries of each head.
    pub queries: usize,
    /// Keys of each head.
    pub keys: usize,
    /// Elements of a query and of a key.
    pub depth: usize,
    /// Elements of a value and of a result.
    pub width: usize,
    /// Where queries lie: by head, query, element.
    pub q: Strides,
    /// Where keys lie: by head, key, element.
    pub k: Strides,
    /// Where values lie: by head, key, element.
    pub v: Strides,
}

/// Elements from one matrix, row and column of an operand to the next.
pub type Strides = [usize; 3];

/// Bindings of queries, keys and values.
pub(super) const INPUTS: usize = 3;

impl Attention {
    /// The attention that two products make: queries by keys, and shares by values.
    pub fn of(scores: &MatMul, values: &MatMul) -> Attention {
        let [q_row, q_depth] = scores.a_strides();
        let [k_depth, k_row] = scores.b_strides();
        let [v_row, v_column] = values.b_strides();
        Attention {
            batch: scores.batch,
            queries: scores.m,
            keys: scores.n,
            depth: scores.k,
            width: values.n,
            q: [scores.a_stride(), q_row, q_depth],
            k: [scores.b_stride(), k_row, k_depth],
            v: [values.b_stride(), v_row, v_column],
        }
    }

    pub(super) fn label(&self, kernel: &str) -> String {
        let Attention { batch, queries, keys, depth, width, .. } = self;
        format!("{kernel} {batch}x{queries}x{keys}x{depth}x{width}")
    }
}

/// The kernel for an attention on an adapter: tiles of queries, which read each key once for all of
/// them, or a workgroup for each query where queries are so few that tiles would be mostly empty.
///
/// # Errors
/// [`crate::base::Error::Limit`] when an extent does not fit 32 bits.
pub fn choose_attention(problem: &Attention, caps: &Caps, text: &Epilogue) -> Result<Launch> {
    if attention_row::applies(problem) {
        attention_row::launch(problem, caps, text)
    } else {
        attention_tile::launch(problem, caps, text)
    }
}

/// The text of `score`, `share` and `epilogue`, and the values that they read.
pub fn text(
    plan: &AttentionPlan,
    body: &Body,
    access: &Access<'_>,
) -> Result<(Epilogue, Vec<NodeId>)> {
    let coordinates = ["b", "row", "col"];
    let places = access.places.len();
    let mut expr = Expr::new(access, INPUTS + places, &[]);
    expr.function("score", &plan.score, Some(Lane::F32), &coordinates)?;
    match &plan.share {
        Some(share) => expr.function("share", share, Some(Lane::F32), &coordinates)?,
        None => expr.text(SHARE),
    }
    expr.function("epilogue", body, Some(Lane::F32), &coordinates)?;
    let operands = expr.operands();
    let Code { text, params, steps } = expr.finish(body.dtype().lane(), INPUTS + 1);
    let count = operands.len();
    let epilogue =
        Epilogue { source: text, operands: count, params, places, steps, right: Right::Words };
    Ok((epilogue, operands))
}

/// A share as it is.
const SHARE: &str = "fn share(acc: f32, b: u32, row: u32, col: u32) -> f32 { return acc; }\n";
