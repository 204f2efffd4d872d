//! Arguments of `compile`, output by output.

use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::layers::config::Json;

/// An argument of `compile`, one value for each output. One value may be `shared` by all outputs, a
/// mapping may be `partial` and leave outputs out.
pub fn per_output(
    (key, given): (&str, &Json),
    names: &[String],
    shared: bool,
    partial: bool,
) -> Result<Vec<Json>> {
    let bad = || {
        Error::Invalid(format!(
            "{key} {}: expected one for each of the outputs {}",
            quote(&given.to_string()),
            names.join(", ")
        ))
    };
    match given {
        Json::Null => Ok(vec![Json::Null; names.len()]),
        Json::Array(items) if items.len() == names.len() => Ok(items.clone()),
        Json::Object(map) if !map.contains_key("class_name") => {
            let all = partial || map.len() == names.len();
            if map.keys().any(|key| !names.contains(key)) || !all {
                return Err(bad());
            }
            Ok(names.iter().map(|name| map.get(name).cloned().unwrap_or_default()).collect())
        }
        one if !one.is_array() && (shared || names.len() == 1) => {
            Ok(vec![one.clone(); names.len()])
        }
        _ => Err(bad()),
    }
}

/// The identifiers of the metrics of each output.
pub fn metric_lists(key: &str, given: &Json, names: &[String]) -> Result<Vec<Vec<Json>>> {
    let list = |json: &Json| match json {
        Json::Null => Vec::new(),
        Json::Array(items) => items.clone(),
        one => vec![one.clone()],
    };
    if names.len() == 1 {
        let nested = match given {
            Json::Object(map) if !map.contains_key("class_name") => {
                map.values().flat_map(list).collect()
            }
            other => list(other),
        };
        return Ok(vec![nested.iter().flat_map(list).collect()]);
    }
    match given {
        Json::Null => Ok(vec![Vec::new(); names.len()]),
        Json::Array(items) if items.is_empty() => Ok(vec![Vec::new(); names.len()]),
        Json::Array(items) if items.len() == names.len() => Ok(items.iter().map(list).collect()),
        Json::Object(map)
            if !map.contains_key("class_name") && map.keys().all(|k| names.contains(k)) =>
        {
            Ok(names.iter().map(|name| map.get(name).map_or(Vec::new(), list)).collect())
        }
        other => Err(Error::Invalid(format!(
            "{key} {}: expected a list with an entry for each output, or a mapping by the outputs' \
             names {}",
            quote(&other.to_string()),
            names.join(", ")
        ))),
    }
}
