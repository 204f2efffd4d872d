//! Configurations of models in the older format, and in that of Keras 3.

use serde_json::{Map, json};

use super::nodes::modern_nodes;
use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::saving::json::Json;

/// Where the objects of a key's kind are found in Keras, by the ending of the key.
const MODULES: [(&str, &str); 3] = [
    ("_initializer", "keras.initializers"),
    ("_regularizer", "keras.regularizers"),
    ("_constraint", "keras.constraints"),
];

/// Keys under which layers hold layers.
const INNER: [&str; 5] = ["layer", "forward_layer", "backward_layer", "cell", "cells"];

/// Keys that layers of Keras 2 wrote and those of Keras 3 do not have, with the one value at which
/// they mean nothing; any other value is an error. Null always means nothing.
const DROPPED: &[(&str, &str, Option<&str>)] = &[
    ("BatchNormalization", "fused", None),
    ("BatchNormalization", "adjustment", None),
    ("BatchNormalization", "mode", Some("0")),
    ("BatchNormalization", "virtual_batch_size", Some("null")),
    ("Bidirectional", "input_spec", None),
    ("ConvLSTM1D", "time_major", Some("false")),
    ("ConvLSTM2D", "time_major", Some("false")),
    ("ConvLSTM3D", "time_major", Some("false")),
    ("DepthwiseConv1D", "groups", Some("1")),
    ("DepthwiseConv2D", "groups", Some("1")),
    ("Embedding", "input_length", None),
    ("GRU", "implementation", None),
    ("GRU", "time_major", Some("false")),
    ("GRUCell", "implementation", None),
    ("InputLayer", "input_tensor", Some("null")),
    ("LSTM", "implementation", None),
    ("LSTM", "time_major", Some("false")),
    ("LSTMCell", "implementation", None),
    ("MultiHeadAttention", "key_shape", None),
    ("MultiHeadAttention", "query_shape", None),
    ("MultiHeadAttention", "softmax_robust_masking", Some("false")),
    ("MultiHeadAttention", "value_shape", None),
    ("RNN", "implementation", None),
    ("RNN", "time_major", Some("false")),
    ("SeparableConv1D", "groups", Some("1")),
    ("SeparableConv2D", "groups", Some("1")),
    ("SimpleRNN", "implementation", None),
    ("SimpleRNN", "time_major", Some("false")),
];

/// Keys of the kernel that layers without a kernel of their own wrote: they have no effect.
const NO_KERNEL: [&str; 4] =
    ["DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"];

/// The record of a model as Keras 3 writes it into `config.json`, from that of an older file: Keras
/// 2.0 to 2.15, tf.keras, and Keras 3's own `.h5`.
///
/// # Errors
/// If it is not the record of a model, or holds what Keras 3 cannot express.
pub fn modern_model(config: &Json) -> Result<Json> {
    let class = config.get("class_name").and_then(Json::as_str).unwrap_or("");
    if !matches!(class, "Sequential" | "Functional" | "Model") {
        let expected = "a Sequential, Functional or Model record";
        return Err(bad("class_name", config, expected));
    }
    modern(config)
}

fn bad(key: &str, found: &Json, expected: &str) -> Error {
    Error::Config {
        owner: "a model in the older format".into(),
        key: key.into(),
        found: quote(&found.to_string()),
        expected: expected.into(),
    }
}

/// The record of a layer or model. Wrapped layers have a module, of which only the config is old.
fn modern(record: &Json) -> Result<Json> {
    let Json::Object(fields) = record else { return Err(bad("layers", record, "layer records")) };
    if let Some(module) = fields.get("module") {
        let mut record = record.clone();
        if module == "keras.layers"
            && let Some(class) = fields.get("class_name").and_then(Json::as_str)
            && let Some(config) = fields.get("config")
        {
            record["config"] = layer(class, config)?;
        }
        return Ok(record);
    }
    let class = fields.get("class_name").and_then(Json::as_str);
    let class = class.ok_or_else(|| bad("class_name", record, "the name of a class"))?;
    let config = fields.get("config").ok_or_else(|| bad("config", record, "a mapping"))?;
    let mut out = Map::new();
    let mut describe = |module: Json, class: &str, registered: Json, config: Json| {
        out.insert("module".into(), module);
        out.insert("class_name".into(), class.into());
        out.insert("config".into(), config);
        out.insert("registered_name".into(), registered);
    };
    match class {
        "Sequential" => describe("keras".into(), class, Json::Null, sequential(config)?),
        "Functional" | "Model" if config.get("layers").is_some() => {
            let module = "keras.src.models.functional".into();
            describe(module, "Functional", "Functional".into(), functional(config)?);
        }
        _ => match class.rsplit_once('>') {
            // A class of the user's own, under the name it was registered with.
            Some((_, name)) => describe(Json::Null, name, class.into(), config.clone()),
            None => describe("keras.layers".into(), class, Json::Null, layer(class, config)?),
        },
    }
    for key in ["name", "inbound_nodes"] {
        if let Some(value) = fields.get(key) {
            out.insert(key.into(), value.clone());
        }
    }
    Ok(Json::Object(out))
}

/// A sequential model. The oldest files hold a bare list of layers; the first layer may declare the
/// input.
fn sequential(config: &Json) -> Result<Json> {
    let (mut out, records) = match config {
        Json::Array(records) => (Map::new(), records),
        _ => {
            let records = config.get("layers").and_then(Json::as_array);
            let records = records.ok_or_else(|| bad("layers", config, "a list of layers"))?;
            (config.as_object().cloned().unwrap_or_default(), records)
        }
    };
    let mut layers = Vec::with_capacity(records.len() + 1);
    if let Some(input) = records.first().and_then(declared_input) {
        layers.push(input);
    }
    for record in records {
        layers.push(modern(record)?);
    }
    out.entry("name").or_insert_with(|| "sequential".into());
    out.insert("layers".into(), Json::Array(layers));
    Ok(Json::Object(out))
}

/// The input layer that a first layer with `batch_input_shape` stands for.
fn declared_input(first: &Json) -> Option<Json> {
    let config = first.get("config")?;
    let shape = config.get("batch_input_shape").filter(|shape| shape.is_array())?;
    if first.get("class_name")?.as_str()? == "InputLayer" {
        return None;
    }
    let name = config.get("name").and_then(Json::as_str).unwrap_or("layer");
    let dtype = match config.get("dtype") {
        // An embedding's own dtype is that of its output.
        Some(Json::String(dtype)) if !dtype.starts_with("mixed_") => dtype.as_str(),
        _ => "float32",
    };
    Some(json!({
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": {"batch_shape": shape, "dtype": dtype, "sparse": false, "name": format!("{name}_input")},
        "registered_name": null,
    }))
}

fn functional(config: &Json) -> Result<Json> {
    let mut out = config.as_object().cloned().unwrap_or_default();
    modern_nodes(&mut out);
    let records = out.get("layers").and_then(Json::as_array);
    let records = records.ok_or_else(|| bad("layers", config, "a list of layers"))?;
    let layers: Result<Vec<Json>> = records.iter().map(modern).collect();
    out.insert("layers".into(), Json::Array(layers?));
    Ok(Json::Object(out))
}

/// The config of a layer: records within it get their modules, and keys of old get the names and
/// forms of today.
fn layer(class: &str, config: &Json) -> Result<Json> {
    let Json::Object(given) = config else { return Err(bad("config", config, "a mapping")) };
    let mut out = Map::new();
    for (key, value) in given {
        if is_dropped(class, key, value)? {
            continue;
        }
        let (key, value) = entry(class, key, value)?;
        out.insert(key, value);
    }
    if matches!(class, "GRU" | "GRUCell") {
        // The default was the other one when files did not say.
        out.entry("reset_after").or_insert(Json::Bool(false));
    }
    Ok(Json::Object(out))
}

fn is_dropped(class: &str, key: &str, value: &Json) -> Result<bool> {
    if key == "batch_input_shape" {
        return Ok(class != "InputLayer");
    }
    if key.starts_with("kernel_") && key != "kernel_size" && NO_KERNEL.contains(&class) {
        return Ok(true);
    }
    let Some((_, _, harmless)) = DROPPED.iter().find(|(c, k, _)| *c == class && *k == key) else {
        return Ok(false);
    };
    let found = value.to_string();
    match harmless {
        Some(text) if !value.is_null() && found != **text => {
            let what = format!("{text}, the only setting that Keras 3 has");
            Err(bad(&format!("{class}.{key}"), value, &what))
        }
        _ => Ok(true),
    }
}

/// A key and its value in today's form.
fn entry(class: &str, key: &str, value: &Json) -> Result<(String, Json)> {
    let renamed = match (class, key) {
        ("InputLayer", "batch_input_shape") => "batch_shape",
        ("LeakyReLU", "alpha") => "negative_slope",
        _ => key,
    };
    let value = match (key, value) {
        ("axis", Json::Array(axes)) if axes.len() == 1 => axes[0].clone(),
        // What tf.keras writes: {"class_name": "Policy", "config": {"name": "mixed_float16"}}
        ("dtype", Json::Object(policy))
            if policy.get("class_name").is_some_and(|class| class == "Policy") =>
        {
            policy.get("config").and_then(|c| c.get("name")).cloned().unwrap_or_default()
        }
        (key, value) if INNER.contains(&key) => match value {
            Json::Array(cells) => {
                cells.iter().map(modern).collect::<Result<Vec<_>>>().map(Json::Array)?
            }
            Json::Object(_) => modern(value)?,
            other => other.clone(),
        },
        (key, Json::Object(record)) => match MODULES.iter().find(|(end, _)| key.ends_with(end)) {
            Some((_, module)) if !record.contains_key("module") => object(record, module),
            _ => value.clone(),
        },
        _ => value.clone(),
    };
    Ok((renamed.into(), value))
}

/// A record of an initializer, a regularizer or a constraint, with its module.
fn object(record: &Map<String, Json>, module: &str) -> Json {
    let mut config = record.get("config").cloned().unwrap_or_else(|| json!({}));
    if let Json::Object(config) = &mut config {
        // TensorFlow 1 wrote a dtype; NumPy scalars became constants of their own.
        config.remove("dtype");
    }
    json!({
        "module": module,
        "class_name": record.get("class_name").cloned().unwrap_or_default(),
        "config": config,
        "registered_name": null,
    })
}

/// The record of a model as Keras 3 writes it into an `.h5` file.
///
/// # Errors
/// [`Error::Unsupported`] for what Keras cannot read back from this format: operations as layers, and
/// layers that work along several axes.
pub fn legacy_model(config: &Json) -> Result<Json> {
    let text = |key: &str| config.get(key).and_then(Json::as_str);
    let (class, module) = (text("class_name").unwrap_or(""), text("module").unwrap_or(""));
    if module.starts_with("keras.src.ops") {
        return Err(Error::Unsupported(format!(
            "the operation {} in a file ending in .h5: Keras cannot read it back from there; save \
             as .keras",
            quote(class)
        )));
    }
    let settings = config.get("config");
    let axis = settings.and_then(|c| c.get("axis")).and_then(Json::as_array);
    if axis.is_some_and(|axes| axes.len() != 1) {
        return Err(Error::Unsupported(format!(
            "{} along several axes in a file ending in .h5: Keras forgets them on loading; save as \
             .keras",
            quote(class)
        )));
    }
    let registered = text("registered_name").filter(|name| name.contains('>'));
    let mut settings = settings.cloned().unwrap_or_else(|| json!({}));
    let is_model = matches!(class, "Sequential" | "Functional");
    if is_model && let Some(Json::Array(layers)) = settings.get_mut("layers") {
        for layer in layers {
            *layer = legacy_model(layer)?;
        }
    }
    let mut out = Map::new();
    out.insert("class_name".into(), registered.unwrap_or(class).into());
    out.insert("config".into(), settings);
    for key in ["name", "inbound_nodes"] {
        if let Some(value) = config.get(key) {
            out.insert(key.into(), value.clone());
        }
    }
    Ok(Json::Object(out))
}
