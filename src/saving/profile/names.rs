//! What stands for a value in a config under another name, or in another form, in older versions.

use serde_json::{Map, json};

use super::version::KerasVersion;
use crate::saving::json::Json;

/// Before this version classes of initializers went by longer names.
const SHORT_INITIALIZERS: u32 = 7;
/// Before this version dtype policies of all kinds are best named; all versions read the names.
const POLICY_RECORDS: u32 = 6;
/// The length that a policy of float8 has where it is not stated.
const AMAX_HISTORY: u64 = 1024;

/// The name that a class had in `version`.
pub(super) fn class_name(module: &str, class: &str, version: KerasVersion) -> Option<&'static str> {
    if module != "keras.initializers" || version.minor() >= SHORT_INITIALIZERS {
        return None;
    }
    match class {
        "Orthogonal" => Some("OrthogonalInitializer"),
        "Identity" => Some("IdentityInitializer"),
        _ => None,
    }
}

/// The name that stands for a dtype policy; nothing where the version reads records, or where no name
/// says what the record does.
pub(super) fn policy_name(
    class: &str,
    config: &Map<String, Json>,
    version: KerasVersion,
) -> Option<Json> {
    if version.minor() >= POLICY_RECORDS {
        return None;
    }
    let text = |key: &str| config.get(key).and_then(Json::as_str);
    match class {
        "DTypePolicy" | "FloatDTypePolicy" => text("name").map(Json::from),
        "QuantizedDTypePolicy" | "QuantizedFloat8DTypePolicy" => {
            let length = config.get("amax_history_length").and_then(Json::as_u64);
            if length.is_some_and(|length| length != AMAX_HISTORY) {
                return None;
            }
            Some(json!(format!("{}_from_{}", text("mode")?, text("source_name")?)))
        }
        _ => None,
    }
}

/// The part of a full name `package>name` that functions had before Keras 3.7.
pub(super) fn function_name(name: &str, version: KerasVersion) -> &str {
    match name.rsplit_once('>') {
        Some((_, short)) if version.minor() < SHORT_INITIALIZERS => short,
        _ => name,
    }
}

/// One input or output without a list around it becomes a list of one.
pub(super) fn listed(leaves: &Json) -> Json {
    match leaves.as_array().and_then(|items| items.first()) {
        Some(Json::String(_)) => json!([leaves]),
        _ => leaves.clone(),
    }
}
