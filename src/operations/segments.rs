//! `keras.ops.math`, elements combined by the number of their segment.

use crate::base::{Error, Result};
use crate::graph::Value;
use crate::graph::ops::ReduceKind;
use crate::operations::call::Call;
use crate::operations::operations;

operations! {
    /// Rows `(n, …)` and their segments' numbers `(n,)` → `(num_segments, …)`. Whether the numbers are
    /// sorted is a hint that changes nothing.
    SEGMENTS:
    SegmentSum(data, segment_ids) { num_segments: null, sorted: false } |c| combined(c, ReduceKind::Sum);
    SegmentProd(data, segment_ids) { num_segments: null, sorted: false } |c| combined(c, ReduceKind::Prod);
    SegmentMax(data, segment_ids) { num_segments: null, sorted: false } |c| combined(c, ReduceKind::Max);
    SegmentMin(data, segment_ids) { num_segments: null, sorted: false } |c| combined(c, ReduceKind::Min);
}

/// Numbers outside `0..num_segments` belong to no segment; a segment without rows gives what a
/// reduction of nothing gives.
fn combined<'g>(c: &Call<'_, 'g>, kind: ReduceKind) -> Result<Value<'g>> {
    c.config.bool("sorted")?;
    let (data, numbers) = (c.value(0)?, c.value(1)?);
    let (rows, found) = (data.shape(), numbers.shape());
    if found.rank() != 1 || rows.first() != found.first() || numbers.dtype().is_float() {
        let expected = "one integer for each row of the data";
        return Err(Error::shape("segment_ids", format!("{found} for {rows}"), expected));
    }
    let segments = c.config.optional_size("num_segments")?;
    let segments = segments.ok_or_else(|| c.config.bad("num_segments", "a count"))?;
    Ok(data.segment_reduce(numbers, kind, segments))
}
