//! Elements picked by index along one axis.

use crate::base::{Error, Result, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp};
use crate::tensor::Array;

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

    /// A sum over all picks of those that picked a row: deterministic, and one fused reduction, since
    /// the comparison is never stored.
    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        let (data, indices) = (cx.inputs[0], cx.inputs[1]);
        let shape = data.shape();
        let (count, rows) = (indices.shape().len(), shape[self.axis]);
        let outer: usize = shape[..self.axis].iter().product();
        let inner: usize = shape[self.axis + 1..].iter().product();
        let last = indices.like(rows as f64 - 1.0);
        let picked = indices.binary("max", indices.like(0.0)).binary("min", last);
        let space = [outer, count, rows, inner];
        let graph = cx.grad.graph();
        let row = graph.iota([1, 1, rows, 1], 2).cast(indices.dtype());
        let hit = picked.reshape([1, count, 1, 1]).binary("eq", row).broadcast(space);
        let g = cx.grad.reshape([outer, count, 1, inner]).broadcast(space);
        vec![Some(hit.select(g, g.like(0.0)).sum(&[1]).reshape(shape)), None]
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
