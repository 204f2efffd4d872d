//! Rows combined by the number of the segment that they belong to.

use crate::base::{DType, Error, Result, Spec};
use crate::graph::ops::ReduceKind;
use crate::graph::{FusionClass, OpDef, Value, Vjp};
use crate::tensor::{Array, Words};

/// Row `s` of the output combines the rows of the values that belong to segment `s`, in their order.
///
/// Inputs are the segments' numbers in ascending order, `[n]`, for each the row it belongs to, `[n]`
/// (both int32), and the values, `[n, inner]`, in a dtype that fills its 32-bit word. A segment
/// without rows gives what a reduction of nothing gives; numbers outside `0..segments` belong to
/// none. [`Value::segment_reduce`] sorts the numbers first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SegmentReduce {
    /// How the rows of a segment are combined.
    pub kind: ReduceKind,
    /// Number of segments: rows of the result.
    pub segments: usize,
}

impl SegmentReduce {
    /// The segment of each row of the values, and whether there is such a segment.
    fn numbers<'g>(&self, cx: &Vjp<'_, 'g>) -> (Value<'g>, Value<'g>) {
        let (sorted, order) = (cx.inputs[0], cx.inputs[1]);
        // The inverse of a permutation is what sorts it.
        let numbers = sorted.gather(order.argsort(0, false), 0);
        let inside = numbers
            .binary("ge", numbers.like(0.0))
            .binary("and", numbers.binary("lt", numbers.like(self.segments as f64)));
        (numbers, inside)
    }
}

impl OpDef for SegmentReduce {
    fn label(&self) -> String {
        format!("segment {:?} of {}", self.kind, self.segments).to_lowercase()
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        let [sorted, order, values] = [inputs[0], inputs[1], inputs[2]];
        let whole = matches!(values.dtype, DType::Float32 | DType::Int32 | DType::UInt32);
        let fits = values.shape.rank() == 2
            && sorted.shape.as_slice() == &values.shape[..1]
            && sorted.shape == order.shape
            && sorted.dtype == DType::Int32
            && order.dtype == DType::Int32;
        if !fits || !whole {
            return Err(Error::shape(
                self.label(),
                format!("{sorted}, {order} and {values}"),
                "int32 numbers and rows [n], and 32-bit values [n, inner]",
            ));
        }
        Ok(Spec::new([self.segments, values.shape[1]], values.dtype))
    }

    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        let values = cx.inputs[2];
        if !values.dtype().is_float() || self.segments == 0 || values.extent(0) == 0 {
            return vec![None, None, None];
        }
        let (numbers, inside) = self.numbers(cx);
        let inside = inside.reshape([values.extent(0), 1]);
        let spread = |v: Value<'g>| v.gather(numbers, 0);
        let again = |kind: ReduceKind, v: Value<'g>| {
            let op = SegmentReduce { kind, segments: self.segments };
            spread(v.graph().apply(op, &[cx.inputs[0], cx.inputs[1], v]))
        };
        let (zero, one) = (values.like(0.0), values.like(1.0));
        let g = spread(cx.grad);
        let part = match self.kind {
            ReduceKind::Sum => g,
            ReduceKind::Prod => {
                // The product of the others: where one is zero, that is the product of the rest.
                let is_zero = values.binary("eq", zero);
                let others = again(ReduceKind::Prod, is_zero.select(one, values));
                let zeros = again(ReduceKind::Sum, is_zero.cast(values.dtype()));
                let count = |n: f64| zeros.binary("eq", zeros.like(n));
                let at_zero = count(1.0).select(others, zero);
                let elsewhere = count(0.0).select(others / values, zero);
                g * is_zero.select(at_zero, elsewhere)
            }
            ReduceKind::Max | ReduceKind::Min => {
                let chosen = values.binary("eq", spread(cx.output));
                let count = again(ReduceKind::Sum, chosen.cast(values.dtype()));
                chosen.select(g / count, zero)
            }
        };
        vec![None, None, Some(inside.select(part, zero))]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let (Words::I32(sorted), Words::I32(order)) = (&inputs[0].words, &inputs[1].words) else {
            return Err(Error::Internal("segments: numbers in another lane".into()));
        };
        let inner = output.shape[1];
        let rows = |i: usize| {
            let segment = (i / inner) as i64;
            let first = sorted.partition_point(|&s| i64::from(s) < segment);
            let end = sorted.partition_point(|&s| i64::from(s) <= segment);
            let last = order.len() as i32 - 1;
            order[first..end]
                .iter()
                .map(move |&row| row.clamp(0, last) as usize * inner + i % inner)
        };
        let values = inputs[2];
        let all = 0..output.shape.len();
        let float = |i: usize, v: &[f32]| {
            let total = rows(i).fold(self.kind.start(), |t, at| self.kind.float(t, v[at].into()));
            total as f32
        };
        let int = |i: usize| {
            let start = self.kind.int_start(output.dtype);
            rows(i).fold(start, |t, at| self.kind.int(t, values.index(at)))
        };
        let words = match &values.words {
            Words::F32(v) => Words::F32(all.map(|i| float(i, v)).collect()),
            Words::I32(_) => Words::I32(all.map(|i| int(i) as i32).collect()),
            Words::U32(_) => Words::U32(all.map(|i| int(i) as u32).collect()),
        };
        Ok(Array { spec: output.clone(), words })
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Opaque
    }
}
