//! Training settings: `training_config` of the older format and `compile_config` of Keras 3.

use serde_json::{Map, json};

use crate::saving::json::{Json, float};

/// What both hold besides the optimizer.
const KEYS: [&str; 7] = [
    "loss",
    "loss_weights",
    "metrics",
    "weighted_metrics",
    "run_eagerly",
    "steps_per_execution",
    "jit_compile",
];

/// Keys of optimizers that Keras 3 does not have and that changed nothing about training.
const DROPPED: [&str; 2] = ["is_legacy_optimizer", "jit_compile"];

/// The `compile_config` that a `training_config` stands for.
///
/// Old names of the learning rate become today's, and its decay the schedule that it was. Losses and
/// metrics of tf.keras get modules.
pub fn modern_training(config: &Json) -> Json {
    let mut out = Map::new();
    if let Some(optimizer) = config.get("optimizer_config") {
        out.insert("optimizer".into(), modern_optimizer(optimizer));
    }
    for key in KEYS {
        let Some(value) = config.get(key) else { continue };
        let value = match key {
            "loss" => objects(value, "keras.losses"),
            "metrics" | "weighted_metrics" => objects(value, "keras.metrics"),
            _ => value.clone(),
        };
        out.insert(key.into(), value);
    }
    Json::Object(out)
}

fn modern_optimizer(record: &Json) -> Json {
    let class = record.get("class_name").and_then(Json::as_str).unwrap_or("");
    let mut out = Map::new();
    let mut decay = 0.0;
    for (key, value) in record.get("config").and_then(Json::as_object).into_iter().flatten() {
        match key.as_str() {
            "lr" => out.insert("learning_rate".into(), value.clone()),
            "decay" => {
                decay = float(value).unwrap_or(0.0);
                None
            }
            // Null stood for the backend's smallest difference.
            "epsilon" if value.is_null() => out.insert(key.clone(), json!(1e-7)),
            "learning_rate" => out.insert(key.clone(), schedule(value)),
            // Nadam's own schedule, which is fixed today.
            "schedule_decay" if float(value) == Some(0.004) => None,
            key if DROPPED.contains(&key) => None,
            _ => out.insert(key.clone(), value.clone()),
        };
    }
    if decay != 0.0 && out.get("learning_rate").is_some_and(|rate| float(rate).is_some()) {
        let rate = out["learning_rate"].clone();
        out.insert("learning_rate".into(), inverse_time_decay(&rate, decay));
    }
    // tf.keras registers its own optimizers as if they were a user's.
    let class = class.strip_prefix("Custom>").unwrap_or(class);
    let class = if class == "LossScaleOptimizerV3" { "LossScaleOptimizer" } else { class };
    let (module, registered) = match class.rsplit_once('>') {
        Some(_) => (Json::Null, Json::from(class)),
        None => (Json::from("keras.optimizers"), Json::Null),
    };
    let class = class.rsplit_once('>').map_or(class, |(_, name)| name);
    json!({"module": module, "class_name": class, "config": out, "registered_name": registered})
}

/// A schedule's record with its module; a number as it is.
fn schedule(value: &Json) -> Json {
    match value {
        Json::Object(_) if value.get("class_name").is_some() => {
            with_module(value, "keras.optimizers.schedules")
        }
        _ => value.clone(),
    }
}

/// What `decay` of older optimizers did: the rate is divided by `1 + decay * iteration`.
fn inverse_time_decay(rate: &Json, decay: f64) -> Json {
    json!({
        "module": "keras.optimizers.schedules",
        "class_name": "InverseTimeDecay",
        "config": {
            "initial_learning_rate": rate,
            "decay_steps": 1,
            "decay_rate": decay,
            "staircase": false,
            "name": "InverseTimeDecay",
        },
        "registered_name": null,
    })
}

fn with_module(record: &Json, module: &str) -> Json {
    let mut record = record.clone();
    if let Json::Object(fields) = &mut record
        && !fields.contains_key("module")
    {
        fields.insert("module".into(), module.into());
        fields.insert("registered_name".into(), Json::Null);
    }
    record
}

/// Losses or metrics in any structure, with their modules. tf.keras wraps functions of a name, which
/// the name alone stands for.
fn objects(value: &Json, module: &str) -> Json {
    match value {
        Json::Array(items) => items.iter().map(|item| objects(item, module)).collect(),
        Json::Object(record) if record.contains_key("class_name") => {
            let function = value.get("config").and_then(|c| c.get("fn")).and_then(Json::as_str);
            function.map_or_else(|| with_module(value, module), Json::from)
        }
        Json::Object(items) => {
            items.iter().map(|(key, item)| (key.clone(), objects(item, module))).collect()
        }
        _ => value.clone(),
    }
}

/// The `training_config` that a `compile_config` stands for; nothing where there is no optimizer, as
/// Keras then writes none.
pub fn legacy_training(config: &Json) -> Option<Json> {
    let optimizer = config.get("optimizer").filter(|optimizer| !optimizer.is_null())?;
    let mut out = Map::new();
    for key in KEYS {
        if let Some(value) = config.get(key) {
            out.insert(key.into(), value.clone());
        }
    }
    let record = match optimizer {
        // A name, as Keras wrote it before 3.4, is a class with its default settings.
        Json::String(name) => json!({"class_name": name, "config": {}}),
        record => {
            let registered = record.get("registered_name").filter(|name| !name.is_null());
            let class = registered.or_else(|| record.get("class_name"));
            json!({"class_name": class, "config": record.get("config")})
        }
    };
    out.insert("optimizer_config".into(), record);
    Some(Json::Object(out))
}
