//! The gate in front of a model's training settings, `compile_config`.
//!
//! Loading resolves none of them. What names code from elsewhere is refused all the same: a model
//! that is loaded and saved must not carry it on, and real Keras would refuse it too.

use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::layers::config::Json;
use crate::models::custom::CustomObjects;
use crate::models::deserialize::refuse_code;

/// Functions of `keras.losses` and `keras.metrics`, which records name without their module.
const FUNCTIONS: &[&str] = &[
    "binary_accuracy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_accuracy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "circle",
    "concordance_correlation",
    "cosine_similarity",
    "ctc",
    "dice",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "pearson_correlation",
    "poisson",
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy",
    "squared_hinge",
    "top_k_categorical_accuracy",
    "tversky",
];

/// Checks the training settings of a model and of the models in it.
///
/// Python code is refused always; classes and functions from outside Keras only with `compile`, so
/// that a model with a loss of its own can be loaded for prediction. Those of `custom` are known.
pub fn check(config: &Json, compile: bool, custom: &CustomObjects) -> Result<()> {
    match config {
        Json::Array(items) => items.iter().try_for_each(|item| check(item, compile, custom)),
        Json::Object(map) => map.iter().try_for_each(|(key, value)| match key.as_str() {
            "compile_config" => check_settings(value, compile, custom),
            _ => check(value, compile, custom),
        }),
        _ => Ok(()),
    }
}

/// [`check`] of one record, or of a structure of them, that training settings name.
pub fn check_settings(settings: &Json, compile: bool, custom: &CustomObjects) -> Result<()> {
    let check = |item| check_settings(item, compile, custom);
    match settings {
        Json::Array(items) => items.iter().try_for_each(check),
        Json::Object(map) => {
            if let Some(class_name) = map.get("class_name").and_then(Json::as_str) {
                refuse_code(class_name)?;
                if compile && !is_known(class_name, map) && !custom.has_objective(settings) {
                    return Err(foreign(class_name, map));
                }
            }
            map.values().try_for_each(check)
        }
        _ => Ok(()),
    }
}

/// Whether a record can name only something of Keras: by its module, or by a known name. Records
/// without a module are containers and values, which name nothing.
fn is_known(class_name: &str, record: &serde_json::Map<String, Json>) -> bool {
    let module = match record.get("module") {
        None | Some(Json::Null) => return true,
        Some(module) => module.as_str().unwrap_or(""),
    };
    if module == "builtins" && class_name == "function" {
        return record.get("config").and_then(Json::as_str).is_some_and(|f| FUNCTIONS.contains(&f));
    }
    let is_keras = module == "keras" || module.starts_with("keras.");
    let registered = record.get("registered_name").and_then(Json::as_str);
    is_keras && registered.is_none_or(|name| name == class_name || class_name == "function")
}

fn foreign(class_name: &str, record: &serde_json::Map<String, Json>) -> Error {
    let name = match (class_name, record.get("config").and_then(Json::as_str)) {
        ("function", Some(function)) => function,
        _ => class_name,
    };
    let module = record.get("module").and_then(Json::as_str).unwrap_or("");
    Error::UnknownClass {
        kind: "object of the compile configuration",
        name: quote(name),
        module: quote(module),
        hint:
            "nothing is imported; register it with CustomObjects, or load with compile = false to \
               leave training settings out"
                .into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compiled(loss: &Json) -> Json {
        json!({"class_name": "Sequential", "config": {}, "compile_config": {"loss": loss}})
    }

    #[test]
    fn settings_of_keras_pass() {
        for loss in [
            json!("mse"),
            json!(null),
            json!({"module": "keras.losses", "class_name": "Huber", "config": {}}),
            json!({"module": "builtins", "class_name": "function", "config": "mean_squared_error",
                   "registered_name": "function"}),
        ] {
            check(&compiled(&loss), true, &CustomObjects::new()).unwrap();
        }
    }

    #[test]
    fn foreign_settings_need_compile_to_be_off() {
        for loss in [
            json!({"module": "os", "class_name": "function", "config": "system"}),
            json!({"module": "builtins", "class_name": "function", "config": "eval"}),
            json!([{"module": "shutil", "class_name": "rmtree", "config": {}}]),
            json!({"module": "keras.losses", "class_name": "Huber", "registered_name": "a>b"}),
            json!({"module": 5, "class_name": "Huber"}),
        ] {
            let nested = json!({"config": {"layers": [compiled(&loss)]}});
            let message = check(&nested, true, &CustomObjects::new()).unwrap_err().to_string();
            assert!(message.contains("compile = false"), "{message}");
            check(&nested, false, &CustomObjects::new()).unwrap();
        }
    }

    #[test]
    fn code_is_always_refused() {
        let config = compiled(&json!({"class_name": "__lambda__", "config": {"value": ["4w=="]}}));
        for compile in [true, false] {
            let error = check(&config, compile, &CustomObjects::new()).unwrap_err();
            assert!(matches!(error, Error::Unsupported(_)), "{error}");
        }
    }
}
