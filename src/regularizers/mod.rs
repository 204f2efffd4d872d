//! `keras.regularizers`: penalties on weights and outputs, added to the loss.

mod penalties;

use std::sync::Arc;

use serde_json::{Map, json};

use crate::base::error::quote;
use crate::base::naming::snake_case;
use crate::base::{Error, Result};
use crate::graph::Value;
use crate::layers::config::{Config, Json};

/// A penalty: a scalar of the dtype of what it is put on.
pub trait Regularizer: Send + Sync {
    /// # Errors
    /// If the regularizer cannot be put on a value of this shape.
    fn call<'g>(&self, x: Value<'g>) -> Result<Value<'g>>;
}

/// What the table says of a class of `keras.regularizers`.
pub struct RegularizerDef {
    /// The class in `keras.regularizers`.
    pub class_name: &'static str,
    /// The constructor's defaults.
    pub defaults: fn() -> Json,
    new: fn(&Config) -> Result<Arc<dyn Regularizer>>,
}

/// Every regularizer class.
pub const REGULARIZERS: &[RegularizerDef] = &[
    RegularizerDef {
        class_name: "L1",
        defaults: || json!({"l1": 0.01}),
        new: |c| Ok(Arc::new(penalties::L1L2::new(c, Some(0.01), None)?)),
    },
    RegularizerDef {
        class_name: "L2",
        defaults: || json!({"l2": 0.01}),
        new: |c| Ok(Arc::new(penalties::L1L2::new(c, None, Some(0.01))?)),
    },
    RegularizerDef {
        class_name: "L1L2",
        defaults: || json!({"l1": 0.0, "l2": 0.0}),
        new: |c| Ok(Arc::new(penalties::L1L2::new(c, Some(0.0), Some(0.0))?)),
    },
    RegularizerDef {
        class_name: "OrthogonalRegularizer",
        defaults: || json!({"factor": 0.01, "mode": "rows"}),
        new: |c| Ok(Arc::new(penalties::Orthogonal::new(c)?)),
    },
];

/// The regularizer under a config key: a name, a record, or null.
///
/// # Errors
/// If it names nothing of Keras, or its config is not one of that class.
pub fn from_config(config: &Config, key: &str) -> Result<Option<Arc<dyn Regularizer>>> {
    get(config.get(key), &format!("{} ({key})", config.owner()))
}

/// The regularizer that a name or a record stands for; nothing for null.
///
/// # Errors
/// If it names nothing of Keras, or its config is not one of that class.
pub fn get(identifier: &Json, owner: &str) -> Result<Option<Arc<dyn Regularizer>>> {
    let text = |key: &str| identifier.get(key).and_then(Json::as_str).unwrap_or("");
    let (name, module, given) = match identifier {
        Json::Null => return Ok(None),
        Json::String(name) => (name.as_str(), "", Map::new()),
        record => {
            let config = record.get("config").filter(|config| !config.is_null());
            let given = config.map_or(Some(Map::new()), |config| config.as_object().cloned());
            let given = given.ok_or_else(|| Error::Config {
                owner: owner.into(),
                key: "config".into(),
                found: quote(&record["config"].to_string()),
                expected: "a mapping".into(),
            })?;
            (text("class_name"), text("module"), given)
        }
    };
    let ours = module.is_empty() || module == "keras" || module.starts_with("keras.");
    let is = |def: &&RegularizerDef| {
        // `l1_l2` is how Keras exports the class, `l1l2` how its table of names spells it.
        let names = [def.class_name.to_owned(), snake_case(def.class_name), exported(def)];
        names.iter().any(|n| n == name)
    };
    let def = REGULARIZERS.iter().find(is).filter(|_| ours).ok_or_else(|| Error::UnknownClass {
        kind: "regularizer",
        name: quote(name),
        module: quote(module),
        hint: format!("in {owner}; expected a class of keras.regularizers"),
    })?;
    let config = Config::new(format!("{} in {owner}", def.class_name), given, (def.defaults)());
    let regularizer = (def.new)(&config)?;
    config.finish()?;
    Ok(Some(regularizer))
}

fn exported(def: &RegularizerDef) -> String {
    if def.class_name == "L1L2" { "l1_l2".into() } else { def.class_name.into() }
}
