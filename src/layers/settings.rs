//! Settings that many layers share and that only training uses: regularizers and constraints.
//!
//! They are checked against Keras's tables, so that a file cannot name anything else, and stay in
//! the file's own config, from which a saved model is written.

use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::layers::config::{Config, Json};

const REGULARIZERS: &[&str] =
    &["L1", "L2", "L1L2", "OrthogonalRegularizer", "l1", "l2", "l1_l2", "orthogonal_regularizer"];

const CONSTRAINTS: &[&str] = &[
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "unit_norm",
    "nonneg",
    "unitnorm",
    "maxnorm",
    "minmaxnorm",
];

/// Takes the regularizer and the constraint of each of a layer's weights, and the regularizer of its
/// output.
pub fn weight_settings(config: &Config, weights: &[&str]) -> Result<()> {
    for weight in weights {
        let keys = ["regularizer", "constraint"].map(|what| format!("{weight}_{what}"));
        training_only(config, &keys.each_ref().map(String::as_str))?;
    }
    training_only(config, &["activity_regularizer"])
}

/// Takes the keys of a low-rank adaptation: a file holds the merged weight, so rank and scale matter
/// for training only.
pub fn lora_settings(config: &Config) -> Result<()> {
    config.optional_size("lora_rank")?;
    config.optional_float("lora_alpha")?;
    Ok(())
}

/// Takes keys that hold a regularizer or a constraint, or null.
pub fn training_only(config: &Config, keys: &[&str]) -> Result<()> {
    for key in keys {
        let names = if key.ends_with("constraint") { CONSTRAINTS } else { REGULARIZERS };
        let (name, module) = match config.get(key) {
            Json::Null => continue,
            Json::String(name) => (name.as_str(), ""),
            record => {
                let text = |k: &str| record.get(k).and_then(Json::as_str).unwrap_or("");
                (text("class_name"), text("module"))
            }
        };
        let ours = module.is_empty() || module.starts_with("keras.");
        if !ours || !names.contains(&name) {
            return Err(Error::UnknownClass {
                kind: if key.ends_with("constraint") { "constraint" } else { "regularizer" },
                name: quote(name),
                module: quote(module),
                hint: format!("in {} ({key}); expected a class of Keras", config.owner()),
            });
        }
    }
    Ok(())
}
