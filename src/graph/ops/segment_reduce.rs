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
        let values = inputs[2];
        let int_start = self.kind.int_start(output.dtype);
        let int = |total: i64, at: usize| self.kind.int(total, values.index(at));
        let combined = Segments { sorted, order, inner: output.shape[1], segments: self.segments };
        let words = match &values.words {
            Words::F32(v) => {
                let float = |total, at: usize| self.kind.float(total, v[at].into());
                Words::F32(combined.map(self.kind.start(), float, |total| total as f32))
            }
            Words::I32(_) => Words::I32(combined.map(int_start, int, |total| total as i32)),
            Words::U32(_) => Words::U32(combined.map(int_start, int, |total| total as u32)),
        };
        Ok(Array { spec: output.clone(), words })
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Opaque
    }
}

/// Where the rows of each segment stand.
struct Segments<'a> {
    sorted: &'a [i32],
    order: &'a [i32],
    inner: usize,
    segments: usize,
}

impl Segments<'_> {
    /// For each column of each segment `finish` of all its elements combined from `start`;
    /// `combine` takes what came before and the place of an element.
    fn map<T: Copy, W>(
        &self,
        start: T,
        combine: impl Fn(T, usize) -> T,
        finish: impl Fn(T) -> W,
    ) -> Vec<W> {
        let last = self.order.len().saturating_sub(1);
        let mut next = self.sorted.partition_point(|&s| s < 0);
        let mut totals = vec![start; self.inner];
        let mut out = Vec::with_capacity(self.segments * self.inner);
        for segment in 0..self.segments {
            while self.sorted.get(next).is_some_and(|&s| s as usize == segment) {
                let first = (self.order[next].max(0) as usize).min(last) * self.inner;
                for (column, total) in totals.iter_mut().enumerate() {
                    *total = combine(*total, first + column);
                }
                next += 1;
            }
            out.extend(totals.iter().map(|&total| finish(total)));
            totals.fill(start);
        }
        out
    }
}
