//! `keras.dtype_policies.DTypePolicyMap`: dtype policies by the paths of layers.
//!
//! Where a layer's `dtype` is a map, the policy is the one under the layer's path; else the one whose
//! key, as a regular expression, matches all of the path; else the default. A layer has a path once
//! Keras has built it: when it loads a file, that is the name of a layer that the file says how to
//! build, and that of a part of a layer behind the layer's own. Layers without anything to build have
//! none and follow the default.

use crate::base::error::quote;
use crate::base::{Error, Pattern, Result};
use crate::layers::DTypePolicy;
use crate::layers::config::{Json, Place};
use crate::quantizers::Mode;

/// The classes of Keras that have something to build, which may be only a check of shapes.
const BUILT: [&str; 54] = [
    "Add",
    "AdditiveAttention",
    "Attention",
    "AugMix",
    "Average",
    "BatchNormalization",
    "Bidirectional",
    "Concatenate",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "ConvLSTMCell",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Dot",
    "EinsumDense",
    "Embedding",
    "GRU",
    "GRUCell",
    "GroupNormalization",
    "GroupQueryAttention",
    "LSTM",
    "LSTMCell",
    "LayerNormalization",
    "Maximum",
    "Minimum",
    "MultiHeadAttention",
    "Multiply",
    "Normalization",
    "PReLU",
    "RMSNormalization",
    "RNN",
    "RandAugment",
    "RandomColorJitter",
    "ReversibleEmbedding",
    "STFTSpectrogram",
    "SeparableConv1D",
    "SeparableConv2D",
    "SimpleRNN",
    "SimpleRNNCell",
    "SpectralNormalization",
    "StackedRNNCells",
    "Subtract",
    "TernaryDense",
    "TextVectorization",
    "TimeDistributed",
    "Wrapper",
];

/// Where Keras builds the layer of a record of this class and name, which says how to build it or not.
pub(crate) fn place(class_name: &str, name: Option<&str>, says_how: bool) -> Place {
    match name {
        Some(name) if says_how => Place::Path(name.to_owned()),
        _ if BUILT.contains(&class_name) => Place::Open,
        _ => Place::None,
    }
}

/// The policy that a map's config has for the layer at a place.
pub(super) fn policy_of_map(config: &Json, owner: &str, place: &Place) -> Result<DTypePolicy> {
    let listed = config["policy_map"].as_object();
    let listed = listed.ok_or_else(|| bad(owner, "policy_map", &config["policy_map"]))?;
    let default = default_policy(config, owner)?;
    let policy = match place {
        Place::None => default,
        Place::Path(path) => match entry(listed, owner, path)? {
            Some((key, record)) => policy(record).ok_or_else(|| bad(owner, key, record))?,
            None => default,
        },
        Place::Open if listed.values().all(|record| policy(record) == Some(default)) => default,
        Place::Open => {
            return Err(Error::Unsupported(format!(
                "{owner}: a DTypePolicyMap on a layer that the file does not say how to build, so \
                 that its path is not known: give the layer a policy of its own"
            )));
        }
    };
    // Keras looks for the length of the history in the map itself, which has none.
    let quantization = match policy.quantization {
        Some(Mode::Float8 { .. }) => Some(Mode::from_name("float8")?),
        other => other,
    };
    Ok(DTypePolicy { quantization, ..policy })
}

fn default_policy(config: &Json, owner: &str) -> Result<DTypePolicy> {
    match &config["default_policy"] {
        Json::Null => Ok(DTypePolicy::FLOAT32),
        Json::String(name) => DTypePolicy::from_name(name),
        record => policy(record).ok_or_else(|| bad(owner, "default_policy", record)),
    }
}

/// The policy of a record, which is no map itself.
fn policy(record: &Json) -> Option<DTypePolicy> {
    DTypePolicy::from_record(record)
}

/// The entry for a path: under the path itself, else under the one pattern that matches it.
fn entry<'m>(
    listed: &'m serde_json::Map<String, Json>,
    owner: &str,
    path: &str,
) -> Result<Option<(&'m str, &'m Json)>> {
    if let Some((key, record)) = listed.get_key_value(path) {
        return Ok(Some((key, record)));
    }
    let mut matching = Vec::new();
    for (key, record) in listed {
        if Pattern::new(key)?.is(path) {
            matching.push((key.as_str(), record));
        }
    }
    if matching.len() > 1 {
        let keys: Vec<String> = matching.iter().map(|(key, _)| quote(key)).collect();
        return Err(Error::Invalid(format!(
            "{owner}: the path '{}' matches several keys of a DTypePolicyMap, {}; expected one",
            quote(path),
            keys.join(" and ")
        )));
    }
    Ok(matching.pop())
}

fn bad(owner: &str, key: &str, found: &Json) -> Error {
    Error::Config {
        owner: owner.into(),
        key: format!("DTypePolicyMap: {}", quote(key)),
        found: quote(&found.to_string()),
        expected: "a dtype policy that this version computes with".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::DType;
    use serde_json::json;

    fn record(name: &str) -> Json {
        json!({"class_name": "DTypePolicy", "config": {"name": name}})
    }

    fn found(place: &Place) -> Result<DType> {
        let float16 = record("float16");
        let listed =
            json!({"a": float16, "a.*": record("bfloat16"), "ab": float16, "a(b|c)": float16});
        let map = json!({"default_policy": "mixed_float16", "policy_map": listed});
        policy_of_map(&map, "Dense", place).map(|policy| policy.variable)
    }

    #[test]
    fn paths_come_before_patterns_and_patterns_before_the_default() {
        let at = |path: &str| found(&Place::Path(path.into()));
        assert_eq!(at("a").unwrap(), DType::Float16);
        assert_eq!(at("a/b").unwrap(), DType::BFloat16);
        assert_eq!(at("x/a").unwrap(), DType::Float32);
        assert_eq!(at("ab").unwrap(), DType::Float16);
        let several = at("ac").unwrap_err().to_string();
        assert!(several.contains("several keys of a DTypePolicyMap, a.* and a(b|c)"), "{several}");
        assert_eq!(found(&Place::None).unwrap(), DType::Float32);
        let open = found(&Place::Open).unwrap_err().to_string();
        assert!(open.contains("path is not known"), "{open}");
        let equal = json!({"default_policy": "float16", "policy_map": {"a": record("float16")}});
        assert!(policy_of_map(&equal, "Dense", &Place::Open).is_ok());
    }

    #[test]
    fn places_follow_what_is_built() {
        assert_eq!(place("Dense", Some("d"), true).part("cell"), Place::Path("d/cell".into()));
        assert_eq!(place("Dense", Some("d"), false), Place::Open);
        assert_eq!(place("Dropout", Some("d"), false), Place::None);
    }
}
