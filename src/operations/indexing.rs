//! `keras.ops.numpy`, that pick elements.

use crate::base::error::quote;
use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::layers::config::Json;
use crate::operations::operations;

operations! {
    /// Elements by position.
    INDEXING:
    GetItem(x, key) |c| {
        let x = c.value(0)?;
        // A null key is a new axis, which `plain` takes for no argument at all.
        get_item(x, &c.plain(1).unwrap_or(Json::Null))
    };
    Take(x, indices) { axis: null } |c| {
        let x = c.value(0)?;
        let (x, axis) = if c.config.is_null("axis") {
            (x.reshape([x.shape().len()]), 0)
        } else {
            (x, c.axis("axis", &x.shape())?)
        };
        Ok(take(x, c.value(1)?, axis))
    };
}

/// Elements of `x` at integer positions along `axis`; negative ones count from the back. Beyond the
/// ends there is what JAX puts there: NaN, for integers the smallest signed or largest unsigned
/// number, for booleans true.
pub(crate) fn take<'g>(x: Value<'g>, indices: Value<'g>, axis: usize) -> Value<'g> {
    let indices = indices.cast(DType::Int32);
    let extent = x.extent(axis) as f64;
    let wrapped = indices.binary("lt", indices.like(0.0)).select(indices + extent, indices);
    let inside = wrapped
        .binary("ge", wrapped.like(0.0))
        .binary("and", wrapped.binary("lt", wrapped.like(extent)));
    let picked = x.gather(wrapped, axis);
    let mut along = vec![1; picked.rank()];
    for (extent, &picks) in along.iter_mut().skip(axis).zip(wrapped.shape().iter()) {
        *extent = picks;
    }
    inside.reshape(along).select(picked, picked.scalar_like(beyond(x.dtype())))
}

/// What stands where no element is.
fn beyond(dtype: DType) -> f64 {
    let bits = 8 * dtype.size() as i32;
    match dtype {
        _ if dtype.is_float() => f64::NAN,
        _ if dtype.is_signed_int() => -2f64.powi(bits - 1),
        _ if dtype.is_unsigned_int() => 2f64.powi(bits) - 1.0,
        _ => 1.0,
    }
}

/// One part of a key.
enum Part {
    NewAxis,
    Ellipsis,
    Index(i64),
    Slice { start: Option<i64>, stop: Option<i64>, step: i64 },
}

fn part(json: &Json) -> Result<Part> {
    let bad = || {
        let found = quote(&json.to_string());
        Error::shape("get_item", found, "integers, slices, an ellipsis and null")
    };
    let bound = |key: &str| match json.pointer(key) {
        None | Some(Json::Null) => Ok(None),
        Some(n) => n.as_i64().map(Some).ok_or_else(bad),
    };
    match (json, json.get("class_name").and_then(Json::as_str)) {
        (Json::Null, _) => Ok(Part::NewAxis),
        (Json::Number(n), _) => n.as_i64().map(Part::Index).ok_or_else(bad),
        (_, Some("__ellipsis__")) => Ok(Part::Ellipsis),
        (_, Some("__slice__")) => match bound("/config/step")?.unwrap_or(1) {
            0 => Err(bad()),
            step => {
                let (start, stop) = (bound("/config/start")?, bound("/config/stop")?);
                Ok(Part::Slice { start, stop, step })
            }
        },
        _ => Err(bad()),
    }
}

fn get_item<'g>(x: Value<'g>, key: &Json) -> Result<Value<'g>> {
    let mut parts: Vec<Part> = match key {
        Json::Array(items) => items.iter().map(part).collect::<Result<_>>()?,
        one => vec![part(one)?],
    };
    let shape = x.shape();
    let consumed =
        parts.iter().filter(|p| matches!(p, Part::Index(_) | Part::Slice { .. })).count();
    let ellipses = parts.iter().filter(|p| matches!(p, Part::Ellipsis)).count();
    if consumed > shape.rank() || ellipses > 1 {
        let found = format!("{consumed} indices and {ellipses} ellipses for {shape}");
        return Err(Error::shape("get_item", found, "no more indices than axes, one ellipsis"));
    }
    if ellipses == 0 {
        parts.push(Part::Ellipsis);
    }
    let mut picked = Picked::default();
    for part in parts {
        match part {
            Part::NewAxis => picked.output.push(1),
            Part::Ellipsis => {
                for _ in 0..shape.rank() - consumed {
                    let extent = shape[picked.size.len()];
                    picked.axis(0, extent, 1, true);
                }
            }
            Part::Index(index) => {
                let extent = shape[picked.size.len()];
                let at = if index < 0 { index.saturating_add(extent as i64) } else { index };
                let at = usize::try_from(at).ok().filter(|&at| at < extent).ok_or_else(|| {
                    Error::shape(
                        "get_item",
                        format!("index {index}"),
                        format!("less than {extent}"),
                    )
                })?;
                picked.axis(at, 1, 1, false);
            }
            Part::Slice { start, stop, step } => {
                let extent = shape[picked.size.len()];
                let (start, size) = slice_range(start, stop, step, extent);
                picked.axis(start, size, step, true);
            }
        }
    }
    Ok(x.slice(&picked.start, &picked.size, &picked.step).reshape(picked.output))
}

/// A slice of `x` and the shape of what is kept of it.
#[derive(Default)]
struct Picked {
    start: Vec<usize>,
    size: Vec<usize>,
    step: Vec<i64>,
    output: Vec<usize>,
}

impl Picked {
    fn axis(&mut self, start: usize, size: usize, step: i64, kept: bool) {
        self.start.push(start);
        self.size.push(size);
        self.step.push(step);
        if kept {
            self.output.push(size);
        }
    }
}

/// First position and number of positions of a Python slice over an axis.
pub(super) fn slice_range(
    start: Option<i64>,
    stop: Option<i64>,
    step: i64,
    extent: usize,
) -> (usize, usize) {
    let n = extent as i64;
    // Bounds as `slice.indices` computes them; going backwards, −1 stands for before the first.
    let (low, high) = if step > 0 { (0, n) } else { (-1, n - 1) };
    let bound = |b: i64| (if b < 0 { b.saturating_add(n) } else { b }).clamp(low, high);
    let start = start.map_or(if step > 0 { low } else { high }, bound);
    let stop = stop.map_or(if step > 0 { high } else { low }, bound);
    let distance = if step > 0 { stop - start } else { start - stop };
    let size = if distance <= 0 { 0 } else { (distance - 1) / step.saturating_abs() + 1 };
    (usize::try_from(start).unwrap_or(0), usize::try_from(size).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_those_of_python() {
        // (start, stop, step) over 5 elements, as `range(*slice(…).indices(5))` gives them.
        for (start, stop, step, expected) in [
            (None, None, 1, vec![0, 1, 2, 3, 4]),
            (Some(1), Some(-1), 2, vec![1, 3]),
            (None, None, -1, vec![4, 3, 2, 1, 0]),
            (Some(3), Some(0), -2, vec![3, 1]),
            (Some(9), None, -3, vec![4, 1]),
            (Some(4), Some(2), 1, vec![]),
            (Some(-9), Some(i64::MAX), i64::MAX, vec![0]),
        ] {
            let (first, size) = slice_range(start, stop, step, 5);
            let positions: Vec<i64> = (0..size as i64).map(|i| first as i64 + i * step).collect();
            assert_eq!(positions, expected, "{start:?}:{stop:?}:{step}");
        }
    }
}
