//! Orders, and what is made of them: sorting, picking along an axis, combining by segment.

use crate::base::{DType, Error, Shape};
use crate::graph::Value;
use crate::graph::ops::{Bitcast, ReduceKind, SegmentReduce, SortStep};

/// Runs that the first step of a sort makes, and how many runs each later step merges.
const FIRST: usize = 32;
const MERGED: usize = 8;

impl<'g> Value<'g> {
    /// The stored bits under another dtype of the same size, which is at most 32 bits.
    pub fn bitcast(self, dtype: DType) -> Value<'g> {
        if dtype == self.dtype() { self } else { self.graph().apply(Bitcast { dtype }, &[self]) }
    }

    /// Unsigned integers in the order of the elements: zeros of either sign are equal, NaN is last.
    fn sort_keys(self, descending: bool) -> Value<'g> {
        const SIGN: f64 = 2_147_483_648.0;
        let dtype = self.dtype();
        let keys = if dtype.is_float() {
            let x = self.cast(DType::Float32);
            let x = x.binary("eq", x.like(0.0)).select(x.like(0.0), x);
            let bits = x.bitcast(DType::UInt32);
            let sign = bits.like(SIGN);
            let low = bits.binary("lt", sign);
            let keys =
                low.select(bits.binary("or", sign), bits.binary("xor", bits.like(u32::MAX.into())));
            x.unary("isnan").select(keys.like(u32::MAX.into()), keys)
        } else if dtype.is_signed_int() {
            let bits = self.cast(DType::Int32).bitcast(DType::UInt32);
            bits.binary("xor", bits.like(SIGN))
        } else {
            self.cast(DType::UInt32)
        };
        if descending { keys.binary("xor", keys.like(u32::MAX.into())) } else { keys }
    }

    /// The positions (int32) along `axis` that put the elements in order. Equal elements keep theirs;
    /// NaN is larger than all numbers.
    pub fn argsort(self, axis: usize, descending: bool) -> Value<'g> {
        let shape = self.shape();
        let Some(last) = shape.rank().checked_sub(1).filter(|&last| axis <= last) else {
            let expected = format!("an axis of {shape}");
            return self.graph().failed(Error::shape("argsort", axis.to_string(), expected));
        };
        let moved = self.move_axis(axis, last);
        let n = shape[axis];
        let rows = [moved.shape().iter().take(last).product(), n];
        let keys = moved.sort_keys(descending).reshape(rows);
        let mut order = self.graph().iota(rows, 1);
        let (mut run, mut merged) = (1, FIRST);
        while run < n {
            let group = run * merged.min(n.div_ceil(run));
            order = self.graph().apply(SortStep { run, group }, &[keys, order]);
            (run, merged) = (group, MERGED);
        }
        order.reshape(moved.shape()).move_axis(last, axis)
    }

    /// Along `axis`, the elements at the positions that `indices` gives for each place; all other
    /// axes are those of the indices. Positions are clamped into the axis.
    pub fn take_along(self, indices: Value<'g>, axis: usize) -> Value<'g> {
        let (shape, picked) = (self.shape(), indices.shape());
        let same = |i: usize| i == axis || shape.get(i) == picked.get(i);
        if axis >= shape.rank() || shape.rank() != picked.rank() || !(0..shape.rank()).all(same) {
            let found = format!("{picked} along axis {axis} of {shape}");
            return self.graph().failed(Error::shape("positions", found, "the same other axes"));
        }
        if picked.is_empty() {
            return self.graph().scalar(0.0, self.dtype()).broadcast(picked);
        }
        if shape[axis] == 0 {
            let found = format!("{picked} along axis {axis} of {shape}");
            return self.graph().failed(Error::shape("positions", found, "a non-empty axis"));
        }
        let strides = shape.strides();
        let graph = self.graph();
        let indices = indices.cast(DType::Int32);
        let last = indices.like(shape[axis] as f64 - 1.0);
        let inside = indices.maximum(indices.like(0.0)).minimum(last);
        let at = (0..shape.rank()).fold(inside * strides[axis] as f64, |at, i| {
            let moves = i != axis && shape[i] > 1;
            if moves { at + graph.iota(picked.clone(), i) * strides[i] as f64 } else { at }
        });
        self.reshape([shape.len()]).gather(at, 0)
    }

    /// Rows of `self`, `[n, …]`, combined by the `numbers` of the segments that they belong to, `[n]`:
    /// `[segments, …]`, in a fixed order. Numbers outside `0..segments` belong to none; a segment
    /// without rows gives what a reduction of nothing gives.
    pub fn segment_reduce(
        self,
        numbers: Value<'g>,
        kind: ReduceKind,
        segments: usize,
    ) -> Value<'g> {
        let (shape, dtype) = (self.shape(), self.dtype());
        let Some((&n, rest)) = shape.split_first() else {
            return self.graph().failed(Error::shape("segments", "a scalar", "rows of values"));
        };
        let word = match dtype.lane() {
            crate::base::dtype::Lane::F32 => DType::Float32,
            crate::base::dtype::Lane::I32 => DType::Int32,
            crate::base::dtype::Lane::U32 => DType::UInt32,
        };
        let numbers = numbers.cast(DType::Int32);
        let order = numbers.argsort(0, false);
        let sorted = if n == 0 { numbers } else { numbers.gather(order, 0) };
        let values = self.cast(word).reshape([n, rest.iter().product()]);
        let op = SegmentReduce { kind, segments };
        let combined = self.graph().apply(op, &[sorted, order, values]);
        let extents: Shape = [segments].into_iter().chain(rest.iter().copied()).collect();
        let combined = combined.reshape(extents);
        match kind {
            ReduceKind::Sum | ReduceKind::Prod => combined.cast(dtype),
            // What nothing gives lies outside a narrow integer.
            ReduceKind::Max | ReduceKind::Min => combined.saturating_cast(dtype),
        }
    }
}
