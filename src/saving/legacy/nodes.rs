//! Calls of layers as tf.keras and Keras 2 list them: `[layer, call, output, kwargs]`.

use std::collections::HashSet;

use serde_json::{Map, json};

use crate::saving::json::Json;

/// Brings the calls of a functional config into the form and the counting of Keras 3.
///
/// A model within a model had a call of its own before all others, so its calls were counted from
/// one; in the lists of inputs and outputs Keras 3 still counts so, except for sequential models.
pub(super) fn modern_nodes(config: &mut Map<String, Json>) {
    let Some(layers) = config.get("layers").and_then(Json::as_array) else { return };
    if !layers.iter().any(has_listed_calls) {
        return;
    }
    let named = |classes: &[&str]| -> HashSet<String> {
        let of = |layer: &&Json| layer["class_name"].as_str().is_some_and(|c| classes.contains(&c));
        let name = |layer: &Json| layer["name"].as_str().map(str::to_owned);
        layers.iter().filter(of).filter_map(name).collect()
    };
    let models = named(&["Sequential", "Functional", "Model"]);
    let sequential = named(&["Sequential"]);
    let names: HashSet<String> =
        layers.iter().filter_map(|l| l["name"].as_str().map(str::to_owned)).collect();
    if let Some(Json::Array(layers)) = config.get_mut("layers") {
        for layer in layers {
            if let Some(Json::Array(calls)) = layer.get_mut("inbound_nodes") {
                for call in calls.iter_mut().filter(|call| call.is_array()) {
                    modern_call(call, &models, &names);
                }
            }
        }
    }
    if let Some(outputs) = config.get_mut("output_layers") {
        shift_all(outputs, &sequential);
    }
}

fn has_listed_calls(layer: &Json) -> bool {
    let calls = layer.get("inbound_nodes").and_then(Json::as_array);
    calls.is_some_and(|calls| calls.iter().any(Json::is_array))
}

/// Counts the calls of models from zero, and gives a call with tensors by keyword the form that has
/// a place for them.
fn modern_call(call: &mut Json, models: &HashSet<String>, names: &HashSet<String>) {
    shift_all(call, models);
    let Json::Array(items) = &*call else { return };
    let keywords = |item: &Json| item.get(3).and_then(Json::as_object).cloned().unwrap_or_default();
    let is_tensor = |value: &Json| is_history(value, names);
    if !items.iter().any(|item| keywords(item).values().any(is_tensor)) {
        return;
    }
    let mut tensors: Vec<Json> = items.iter().map(keras_tensor).collect();
    let first = if tensors.len() == 1 { tensors.remove(0) } else { Json::Array(tensors) };
    let mut kwargs = Map::new();
    for (key, mut value) in items.iter().flat_map(keywords) {
        if is_tensor(&value) {
            shift_all(&mut value, models);
            value = keras_tensor(&value);
        }
        kwargs.insert(key, value);
    }
    *call = json!({"args": [first], "kwargs": kwargs});
}

fn is_history(value: &Json, names: &HashSet<String>) -> bool {
    match value.as_array().map(Vec::as_slice) {
        Some([Json::String(name), call, output, ..]) => {
            names.contains(name) && call.is_u64() && output.is_u64()
        }
        _ => false,
    }
}

/// The record of a symbolic tensor. Nobody reads its shape: the history says which tensor it is.
fn keras_tensor(history: &Json) -> Json {
    let history: Vec<&Json> = history.as_array().into_iter().flatten().take(3).collect();
    json!({
        "class_name": "__keras_tensor__",
        "config": {"shape": [null], "dtype": "float32", "keras_history": history},
    })
}

/// Takes one from the call of every tensor of these layers, in any structure.
fn shift_all(value: &mut Json, layers: &HashSet<String>) {
    match value {
        Json::Array(items) => {
            let is_tensor =
                items.first().and_then(Json::as_str).is_some_and(|n| layers.contains(n));
            match items.get(1).and_then(Json::as_u64) {
                Some(call) if is_tensor => items[1] = call.saturating_sub(1).into(),
                _ => items.iter_mut().for_each(|item| shift_all(item, layers)),
            }
        }
        Json::Object(items) => items.values_mut().for_each(|item| shift_all(item, layers)),
        _ => {}
    }
}
