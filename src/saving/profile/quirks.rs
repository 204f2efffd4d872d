//! What the oldest versions of Keras take in another way than all later ones.

use serde_json::Map;

use super::version::KerasVersion;
use crate::saving::json::Json;

/// Before this version shapes from a file were not taken for shapes, models within models were counted
/// otherwise, and the template within a Bidirectional was not built.
const FIXED: u32 = 3;
/// Before this version a functional model could thaw its layers when it was loaded.
const THAWS: u32 = 8;
/// Before this version a Normalization took a mean for each channel only.
const ONE_MEAN: u32 = 8;

/// Whether the shape that an object was built with must be left out; layers are built anyway when they
/// are called.
pub(super) fn is_built_by_call(full: &str, version: KerasVersion) -> bool {
    version.minor() < FIXED && full == "keras.layers.Dot"
}

/// A config that the version would take wrongly as it is; nothing for all others.
///
/// The layers within a Bidirectional must not be built before it builds them. A functional model that
/// says it can be trained unfreezes all its layers; it can be without saying so.
pub(super) fn corrected(
    full: &str,
    config: &Map<String, Json>,
    version: KerasVersion,
) -> Option<Map<String, Json>> {
    let mut config = config.clone();
    match full {
        "keras.layers.Bidirectional" if version.minor() < FIXED => {
            for key in ["layer", "backward_layer"] {
                if let Some(Json::Object(record)) = config.get_mut(key) {
                    record.shift_remove("build_config");
                }
            }
        }
        "keras.src.models.functional.Functional"
            if version.minor() < THAWS && config.get("trainable") == Some(&Json::Bool(true)) =>
        {
            config.shift_remove("trainable");
        }
        _ => return None,
    }
    Some(config)
}

/// What a version would compute wrongly, or not load, though it knows all names.
pub(super) fn misread(
    full: &str,
    config: &Map<String, Json>,
    version: KerasVersion,
) -> Option<&'static str> {
    let is_number = |key: &str| config.get(key).is_some_and(Json::is_number);
    if version.minor() < ONE_MEAN && full == "keras.layers.Normalization" && is_number("mean") {
        return Some("one mean for all channels works since Keras 3.8");
    }
    if version.minor() < FIXED && gives_inner_output(config) {
        return Some("that version takes the output of a model within the model from another call");
    }
    let is_frozen = config.get("trainable") == Some(&Json::Bool(false));
    if version.minor() < FIXED && full == "keras.Sequential" && is_frozen {
        return Some("that version thaws a sequential model that it loads");
    }
    None
}

/// Whether a functional model within this one gives one of its outputs, or takes one of its inputs.
fn gives_inner_output(config: &Map<String, Json>) -> bool {
    let layers =
        config.get("layers").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_functional = |name: &str| {
        layers.iter().any(|layer| layer["name"] == name && layer["class_name"] == "Functional")
    };
    let leaves = ["input_layers", "output_layers"].map(|key| config.get(key));
    leaves.into_iter().flatten().any(|leaves| any_leaf(leaves, &is_functional))
}

fn any_leaf(leaves: &Json, wanted: &dyn Fn(&str) -> bool) -> bool {
    match leaves {
        Json::Array(items) => match items.first() {
            Some(Json::String(name)) => wanted(name),
            _ => items.iter().any(|item| any_leaf(item, wanted)),
        },
        Json::Object(items) => items.values().any(|item| any_leaf(item, wanted)),
        _ => false,
    }
}
