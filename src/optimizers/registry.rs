//! The table of optimizer classes: the only way from a class name in a file to code.

use serde_json::{Map, json};

use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::layers::config::{Config, Json};
use crate::optimizers::{
    Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, Ftrl, Lamb, Lion, LossScaleOptimizer,
    MultiOptimizer, Muon, Nadam, Optimizer, RMSprop, SGD, ScheduleFreeAdamW,
};

/// What the table says of a class.
pub struct OptimizerDef {
    /// The class in `keras.optimizers`.
    pub class_name: &'static str,
    /// The constructor's defaults.
    pub defaults: fn() -> Json,
    /// Reads the constructor's arguments from a config.
    pub new: fn(&Config) -> Result<Box<dyn Optimizer>>,
}

macro_rules! optimizers {
    ($($name:ident),* $(,)?) => {
        /// Every optimizer of Keras.
        pub const OPTIMIZERS: &[OptimizerDef] = &[$(OptimizerDef {
            class_name: stringify!($name),
            defaults: $name::defaults,
            new: $name::from_config,
        }),*];
    };
}

optimizers! {
    SGD, RMSprop, Adam, AdamW, Adadelta, Adagrad, Adamax, Adafactor, Nadam, Ftrl, Lion, Lamb, Muon,
    ScheduleFreeAdamW, LossScaleOptimizer, MultiOptimizer,
}

/// A serialized object of `keras.optimizers`.
pub(crate) struct Record<'a> {
    pub class_name: &'a str,
    pub config: &'a Map<String, Json>,
}

impl<'a> Record<'a> {
    /// The fields of a record whose module is that of optimizers.
    pub fn parse(kind: &'static str, record: &'a Json) -> Result<Record<'a>> {
        let text = |key: &str| record.get(key).and_then(Json::as_str);
        let class_name = text("class_name").ok_or_else(|| malformed(kind, record))?;
        let config = record.get("config").and_then(Json::as_object);
        let config = config.ok_or_else(|| malformed(kind, record))?;
        let module = text("module").unwrap_or("");
        let ours = ["", "keras.optimizers", "keras.optimizers.schedules", "keras.mixed_precision"];
        let known = ours.contains(&module) || module.starts_with("keras.src.optimizers");
        let renamed = text("registered_name").is_some_and(|name| name != class_name);
        if !known || renamed {
            return Err(unknown(kind, class_name, module));
        }
        Ok(Record { class_name, config })
    }
}

fn malformed(kind: &'static str, record: &Json) -> Error {
    Error::Json {
        member: kind.into(),
        what: format!("no class_name and config in {}", quote(&record.to_string())),
    }
}

/// The error for a class that the table lacks.
pub(crate) fn unknown(kind: &'static str, class_name: &str, module: &str) -> Error {
    Error::UnknownClass {
        kind,
        name: quote(class_name),
        module: if module.is_empty() { "none".into() } else { quote(module) },
        hint: "expected a class of Keras".into(),
    }
}

/// The optimizer of an identifier as `compile` takes it: a name such as `"adam"`, or a record.
///
/// # Errors
/// If Keras has no such optimizer, or a key of its config is unknown or cannot be used.
pub fn get(identifier: &Json) -> Result<Box<dyn Optimizer>> {
    match identifier {
        Json::String(name) => by_name(name),
        record => from_record(record),
    }
}

/// The optimizer of a record.
///
/// # Errors
/// If it names no optimizer of Keras, or its config is not one of that class.
pub fn from_record(record: &Json) -> Result<Box<dyn Optimizer>> {
    let record = Record::parse("optimizer", record)?;
    // Keras compares lower-case names here.
    let matches = |def: &&OptimizerDef| def.class_name.eq_ignore_ascii_case(record.class_name);
    let def = OPTIMIZERS.iter().find(matches);
    let def = def.ok_or_else(|| unknown("optimizer", record.class_name, "keras.optimizers"))?;
    construct(def, record.config.clone())
}

fn by_name(name: &str) -> Result<Box<dyn Optimizer>> {
    // Keras's table of names lacks Lamb, which only a record can name.
    let matches =
        |def: &&OptimizerDef| def.class_name.eq_ignore_ascii_case(name) && def.class_name != "Lamb";
    let def = OPTIMIZERS.iter().find(matches);
    construct(def.ok_or_else(|| unknown("optimizer", name, ""))?, Map::new())
}

fn construct(def: &OptimizerDef, given: Map<String, Json>) -> Result<Box<dyn Optimizer>> {
    let config = Config::new(def.class_name.into(), given, (def.defaults)());
    let optimizer = (def.new)(&config)?;
    config.finish()?;
    Ok(optimizer)
}

/// The record that Keras would write for an identifier: a name becomes a record with the defaults.
///
/// # Errors
/// As [`get`].
pub fn record_of(identifier: &Json) -> Result<Json> {
    let class_name = get(identifier)?.class_name();
    let Json::String(_) = identifier else { return Ok(identifier.clone()) };
    let def = OPTIMIZERS.iter().find(|def| def.class_name == class_name);
    let config = def.map_or_else(|| json!({}), |def| (def.defaults)());
    Ok(json!({
        "module": "keras.optimizers",
        "class_name": class_name,
        "config": config,
        "registered_name": null,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_keras() {
        for def in OPTIMIZERS {
            let named = get(&json!(def.class_name.to_lowercase()));
            let wrappers = ["Lamb", "LossScaleOptimizer", "MultiOptimizer"];
            assert_eq!(named.is_ok(), !wrappers.contains(&def.class_name), "{}", def.class_name);
        }
        assert!(get(&json!("adamw2")).is_err());
    }

    #[test]
    fn unknown_keys_are_refused() {
        let record =
            |config| json!({"class_name": "SGD", "module": "keras.optimizers", "config": config});
        get(&record(json!({"learning_rate": 0.5, "momentum": 0.25}))).unwrap();
        for config in [
            json!({"no_such_key": 1}),
            json!({"clipnorm": 1.0, "clipvalue": 1.0}),
            json!({"momentum": 1.5}),
            json!({"gradient_accumulation_steps": 1}),
            json!({"use_ema": true, "ema_momentum": 2.0}),
        ] {
            assert!(get(&record(config.clone())).is_err(), "{config}");
        }
    }
}
