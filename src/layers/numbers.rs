//! Numbers and arrays of numbers in configs.

use crate::base::error::quote;
use crate::base::{Error, Result, Shape};
use crate::layers::config::{Config, Json};
use crate::saving::json::float;
use crate::tensor::Tensor;

/// The deepest nesting of lists that is an array.
const MAX_RANK: usize = 8;

/// The number or array under a key, as float64: a number, nested lists, or a `__numpy__` or
/// `__tensor__` record.
pub(crate) fn numbers(config: &Config, key: &str) -> Result<Tensor> {
    array(config.get(key)).map_err(|_| config.bad(key, "a number or an array of numbers"))
}

/// The number or array that a JSON value holds, as float64; booleans count as 0 and 1.
pub(crate) fn array(json: &Json) -> Result<Tensor> {
    let json = match json.get("class_name").and_then(Json::as_str) {
        Some("__numpy__" | "__tensor__") => json.pointer("/config/value").unwrap_or(json),
        _ => json,
    };
    let shape = shape_of(json, MAX_RANK);
    let mut elements = Vec::new();
    let regular = shape.as_ref().is_some_and(|shape| collect(json, shape, &mut elements));
    match shape {
        Some(shape) if regular => Tensor::new(Shape::from(shape), &elements),
        _ => {
            let expected = "a number or lists of numbers of equal lengths";
            Err(Error::shape("array", quote(&json.to_string()), expected))
        }
    }
}

/// Extents along the first element of every list.
fn shape_of(json: &Json, depth: usize) -> Option<Vec<usize>> {
    let Json::Array(items) = json else { return Some(Vec::new()) };
    let mut shape = vec![items.len()];
    if let Some(first) = items.first() {
        shape.extend(shape_of(first, depth.checked_sub(1)?)?);
    }
    Some(shape)
}

/// Appends the numbers; false if the lists do not have this shape.
fn collect(json: &Json, shape: &[usize], to: &mut Vec<f64>) -> bool {
    match (json, shape.split_first()) {
        (Json::Array(items), Some((&extent, rest))) => {
            items.len() == extent && items.iter().all(|item| collect(item, rest, to))
        }
        (Json::Bool(b), None) => {
            to.push(f64::from(u8::from(*b)));
            true
        }
        // Also one that is not finite, which Keras writes as a bare NaN or Infinity.
        (number, None) => float(number).map(|x| to.push(x)).is_some(),
        _ => false,
    }
}
