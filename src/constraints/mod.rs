//! `keras.constraints`: what weights are brought back to after each update.

mod norms;

use std::sync::Arc;

use serde_json::{Map, json};

use crate::base::error::quote;
use crate::base::naming::snake_case;
use crate::base::{Error, Result};
use crate::graph::Value;
use crate::layers::config::{Config, Json};

/// A projection of a weight: a value of the same shape and dtype.
pub trait Constraint: Send + Sync {
    /// # Errors
    /// If the weight has not the axes that the constraint is about.
    fn call<'g>(&self, weight: Value<'g>) -> Result<Value<'g>>;
}

/// What the table says of a class of `keras.constraints`.
pub struct ConstraintDef {
    /// The class in `keras.constraints`.
    pub class_name: &'static str,
    /// The constructor's defaults.
    pub defaults: fn() -> Json,
    new: fn(&Config) -> Result<Arc<dyn Constraint>>,
}

/// Every constraint class.
pub const CONSTRAINTS: &[ConstraintDef] = &[
    ConstraintDef {
        class_name: "MaxNorm",
        defaults: || json!({"max_value": 2, "axis": 0}),
        new: norms::max_norm,
    },
    ConstraintDef {
        class_name: "MinMaxNorm",
        defaults: || json!({"min_value": 0.0, "max_value": 1.0, "rate": 1.0, "axis": 0}),
        new: norms::min_max_norm,
    },
    ConstraintDef {
        class_name: "NonNeg",
        defaults: || json!({}),
        new: |_| Ok(Arc::new(norms::NonNeg)),
    },
    ConstraintDef {
        class_name: "UnitNorm",
        defaults: || json!({"axis": 0}),
        new: norms::unit_norm,
    },
];

/// The constraint under a config key: a name, a record, or null.
///
/// # Errors
/// If it names nothing of Keras, or its config is not one of that class.
pub fn from_config(config: &Config, key: &str) -> Result<Option<Arc<dyn Constraint>>> {
    get(config.get(key), &format!("{} ({key})", config.owner()))
}

/// The constraint that a name or a record stands for; nothing for null.
///
/// # Errors
/// If it names nothing of Keras, or its config is not one of that class.
pub fn get(identifier: &Json, owner: &str) -> Result<Option<Arc<dyn Constraint>>> {
    let text = |key: &str| identifier.get(key).and_then(Json::as_str).unwrap_or("");
    let (name, module, given) = match identifier {
        Json::Null => return Ok(None),
        Json::String(name) => (name.as_str(), "", Map::new()),
        record => {
            let config = record.get("config").and_then(Json::as_object).cloned();
            (text("class_name"), text("module"), config.unwrap_or_default())
        }
    };
    let ours = module.is_empty() || module == "keras" || module.starts_with("keras.");
    let is = |def: &&ConstraintDef| def.class_name == name || snake_case(def.class_name) == name;
    let def = CONSTRAINTS.iter().find(is).filter(|_| ours).ok_or_else(|| Error::UnknownClass {
        kind: "constraint",
        name: quote(name),
        module: quote(module),
        hint: format!("in {owner}; expected a class of keras.constraints"),
    })?;
    let config = Config::new(format!("{} in {owner}", def.class_name), given, (def.defaults)());
    let constraint = (def.new)(&config)?;
    config.finish()?;
    Ok(Some(constraint))
}
