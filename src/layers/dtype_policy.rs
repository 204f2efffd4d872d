//! Dtype policies: in which dtype a layer computes and in which it keeps its variables.

use crate::base::{DType, Error, Result};
use crate::layers::config::{Config, Json};

/// Compute and variable dtype of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DTypePolicy {
    pub compute: DType,
    pub variable: DType,
}

impl DTypePolicy {
    pub const FLOAT32: DTypePolicy =
        DTypePolicy { compute: DType::Float32, variable: DType::Float32 };

    /// A policy by its Keras name: a dtype, or `mixed_float16`, `mixed_bfloat16`.
    pub fn from_name(name: &str) -> Result<DTypePolicy> {
        let mixed = |compute| Ok(DTypePolicy { compute, variable: DType::Float32 });
        match name {
            "mixed_float16" => mixed(DType::Float16),
            "mixed_bfloat16" => mixed(DType::BFloat16),
            "string" => Err(Error::Unsupported("computing in dtype string".into())),
            _ => DType::from_name(name).map(|d| DTypePolicy { compute: d, variable: d }),
        }
    }

    /// The policy under the key `dtype`: a name, a record, or null for float32.
    pub fn from_config(config: &Config) -> Result<DTypePolicy> {
        let bad = || config.bad("dtype", "a dtype policy such as \"float32\" or \"mixed_float16\"");
        let named = |name: &str| DTypePolicy::from_name(name).map_err(|_| bad());
        match config.get("dtype") {
            Json::Null => Ok(DTypePolicy::FLOAT32),
            Json::String(name) => named(name),
            record => match record.get("class_name").and_then(Json::as_str) {
                Some("DTypePolicy" | "FloatDTypePolicy") => {
                    let name = record.get("config").and_then(|c| c.get("name"));
                    name.and_then(Json::as_str).map_or_else(|| Err(bad()), named)
                }
                Some(
                    class @ ("QuantizedDTypePolicy"
                    | "QuantizedFloat8DTypePolicy"
                    | "Int4DTypePolicy"
                    | "GPTQDTypePolicy"
                    | "AWQDTypePolicy"
                    | "DTypePolicyMap"),
                ) => Err(Error::Unsupported(format!("{}: dtype policy {class}", config.owner()))),
                _ => Err(bad()),
            },
        }
    }
}
