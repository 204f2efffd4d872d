//! Elements picked by index along one axis.

use crate::base::{Error, Result, Spec};
use crate::graph::ops::ReduceKind;
use crate::graph::{FusionClass, OpDef, Value, Vjp};
use crate::tensor::Array;

/// The most elements that the gradient compares with a row's number. A comparison is one dispatch for
/// all, sorting is tens of them, but its work does not grow with the rows times the picks.
const MOST_COMPARED: usize = 1 << 18;

/// `data[..., indices, ...]` along `axis`: inputs are data and integer indices; the axis is replaced
/// by the shape of the indices. Indices are clamped into the axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gather {
    /// The axis of the data that the indices count along.
    pub axis: usize,
}

impl OpDef for Gather {
    fn label(&self) -> String {
        format!("gather axis={}", self.axis)
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        let (data, indices) = (inputs[0], inputs[1]);
        if self.axis >= data.shape.rank() || !indices.dtype.is_int() || data.shape[self.axis] == 0 {
            return Err(Error::shape(
                self.label(),
                format!("{data} and {indices}"),
                "data with a non-empty axis, integer indices",
            ));
        }
        let mut extents = data.shape[..self.axis].to_vec();
        extents.extend_from_slice(&indices.shape);
        extents.extend_from_slice(&data.shape[self.axis + 1..]);
        Ok(Spec::new(extents, data.dtype))
    }

    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        let (data, indices) = (cx.inputs[0], cx.inputs[1]);
        let shape = data.shape();
        let (count, rows) = (indices.shape().len(), shape[self.axis]);
        let outer: usize = shape[..self.axis].iter().product();
        let inner: usize = shape[self.axis + 1..].iter().product();
        let last = indices.like(rows as f64 - 1.0);
        let picked = indices.binary("max", indices.like(0.0)).binary("min", last).reshape([count]);
        let grad = cx.grad.reshape([outer, count, inner]);
        let compared = [outer, count, rows, inner].into_iter().fold(1, usize::saturating_mul);
        let sums = if compared <= MOST_COMPARED {
            sums_by_comparing(grad, picked, rows)
        } else {
            sums_by_sorting(grad, picked, rows)
        };
        vec![Some(sums.reshape(shape)), None]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let (data, indices) = (inputs[0], inputs[1]);
        let rows = data.spec.shape[self.axis];
        let inner: usize = data.spec.shape[self.axis + 1..].iter().product();
        let count = indices.len();
        let at = |i: usize| {
            let (outer, pick, rest) = (i / inner / count, i / inner % count, i % inner);
            let row = indices.index(pick).clamp(0, rows as i64 - 1) as usize;
            (outer * rows + row) * inner + rest
        };
        Ok(crate::graph::array(output.clone(), data.words.pick(output.shape.len(), at)))
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Map
    }
}

/// For each row the sum of the gradients of those that picked it, `[outer, rows, inner]` from
/// `[outer, count, inner]`: one fused reduction over all picks, whose comparison is never stored.
fn sums_by_comparing<'g>(grad: Value<'g>, picked: Value<'g>, rows: usize) -> Value<'g> {
    let [outer, count, inner] = [grad.extent(0), grad.extent(1), grad.extent(2)];
    let space = [outer, count, rows, inner];
    let row = grad.graph().iota([1, 1, rows, 1], 2).cast(picked.dtype());
    let hit = picked.reshape([1, count, 1, 1]).binary("eq", row).broadcast(space);
    let grad = grad.reshape([outer, count, 1, inner]).broadcast(space);
    hit.select(grad, grad.like(0.0)).sum(&[1])
}

/// The same sums over sorted picks, for large tables and many picks.
fn sums_by_sorting<'g>(grad: Value<'g>, picked: Value<'g>, rows: usize) -> Value<'g> {
    let picks_first = grad.transpose(&[1, 0, 2]);
    picks_first.segment_reduce(picked, ReduceKind::Sum, rows).transpose(&[1, 0, 2])
}
