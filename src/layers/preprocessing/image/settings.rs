//! Settings that layers of images share.

use crate::base::{DType, Result};
use crate::graph::Value;
use crate::layers::config::{Config, Json};

/// The colours' darkest and brightest value, under the key `value_range`, as given.
pub(super) fn value_range(config: &Config) -> Result<[f64; 2]> {
    pair(config.get("value_range")).ok_or_else(|| config.bad("value_range", "two numbers"))
}

/// [`value_range`] in ascending order.
pub(super) fn sorted_range(config: &Config) -> Result<[f64; 2]> {
    value_range(config).map(sorted)
}

/// Two numbers, in ascending order.
pub(super) fn sorted([a, b]: [f64; 2]) -> [f64; 2] {
    if a <= b { [a, b] } else { [b, a] }
}

fn pair(json: &Json) -> Option<[f64; 2]> {
    match json.as_array()?.as_slice() {
        [a, b] => Some([a.as_f64()?, b.as_f64()?]),
        _ => None,
    }
}

/// A strength under a key, as the range it is drawn from: one number f stands for −f to f within the
/// bounds.
pub(super) fn factor(config: &Config, key: &str, [low, high]: [f64; 2]) -> Result<[f64; 2]> {
    let bad = || config.bad(key, &format!("a number, or two, from {low} to {high}"));
    match config.get(key) {
        Json::Null => Ok([low.max(0.0), 0.0]),
        Json::Array(_) => {
            let given = pair(config.get(key)).ok_or_else(bad)?;
            if given[0] > high || given[1] < low {
                return Err(bad());
            }
            Ok(sorted(given))
        }
        _ => {
            let number = config.float(key).ok().filter(|f| (low..=high).contains(f));
            let number = number.ok_or_else(bad)?.abs();
            Ok([low.max(-number), number])
        }
    }
}

/// A strength whose every number lies within the bounds; one number f stands for −f to f.
pub(super) fn strict_factor(config: &Config, key: &str, [low, high]: [f64; 2]) -> Result<[f64; 2]> {
    let bad = || config.bad(key, &format!("a number, or two, from {low} to {high}"));
    let range = match config.get(key) {
        Json::Array(_) => pair(config.get(key)).ok_or_else(bad)?,
        _ => [config.float(key).map_err(|_| bad())?; 2],
    };
    if range.iter().any(|f| !(low..=high).contains(f)) {
        return Err(bad());
    }
    match config.get(key) {
        Json::Array(_) => Ok(sorted(range)),
        _ => Ok([-range[1].abs(), range[1].abs()]),
    }
}

/// Colours of one range in another one, computed in `dtype`; as they are where the ranges are equal.
pub(super) fn in_range(x: Value<'_>, from: [f64; 2], to: [f64; 2], dtype: DType) -> Value<'_> {
    if from == to {
        return x;
    }
    let unit = (x.cast(dtype) - from[0]) / (from[1] - from[0]);
    unit * (to[1] - to[0]) + to[0]
}

/// The range in which most classes compute.
pub(super) const BYTES: [f64; 2] = [0.0, 255.0];

/// `x` bounded by a range.
pub(super) fn clip(x: Value<'_>, [low, high]: [f64; 2]) -> Value<'_> {
    x.maximum(x.scalar_like(low)).minimum(x.scalar_like(high))
}
