//! The calls of a functional config: `inbound_nodes`, `input_layers`, `output_layers`.

use crate::base::error::quote;
use crate::base::{DType, Error, Nested, Result};
use crate::layers::config::Json;
use crate::layers::{Arg, CallArgs};

/// `keras_history`: output `tensor` of call `node` of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    pub layer: String,
    pub node: usize,
    pub tensor: usize,
}

fn bad(what: &str, json: &Json) -> Error {
    Error::Json {
        member: "config.json".into(),
        what: format!("{what}: {}", quote(&json.to_string())),
    }
}

impl History {
    fn parse(json: &Json) -> Result<History> {
        let fail = || bad("keras_history is not [layer, call, output]", json);
        match json.as_array().map(Vec::as_slice) {
            Some([Json::String(layer), node, tensor]) => {
                let index = |n: &Json| n.as_u64().and_then(|n| usize::try_from(n).ok());
                Ok(History {
                    layer: layer.clone(),
                    node: index(node).ok_or_else(fail)?,
                    tensor: index(tensor).ok_or_else(fail)?,
                })
            }
            _ => Err(fail()),
        }
    }
}

/// The arguments of every call of a layer.
pub fn inbound_nodes(json: &Json) -> Result<Vec<CallArgs<History>>> {
    let nodes = json.as_array().ok_or_else(|| bad("inbound_nodes is not a list", json))?;
    nodes.iter().map(call).collect()
}

fn call(json: &Json) -> Result<CallArgs<History>> {
    let Json::Object(node) = json else { return legacy_call(json) };
    let args = match node.get("args") {
        Some(Json::Array(args)) => args.iter().map(arg).collect::<Result<_>>()?,
        _ => return Err(bad("a call without args", json)),
    };
    let kwargs = match node.get("kwargs") {
        Some(Json::Object(kwargs)) => {
            kwargs.iter().map(|(k, v)| Ok((k.clone(), arg(v)?))).collect::<Result<_>>()?
        }
        None | Some(Json::Null) => Vec::new(),
        _ => return Err(bad("kwargs is not a mapping", json)),
    };
    Ok(CallArgs { positional: args, keyword: kwargs })
}

/// The form of tf.keras: a list of `[layer, call, output]` or `[layer, call, output, kwargs]`.
fn legacy_call(json: &Json) -> Result<CallArgs<History>> {
    let items = json.as_array().ok_or_else(|| bad("a call is neither mapping nor list", json))?;
    let mut keyword = Vec::new();
    let mut tensors = Vec::new();
    for item in items {
        let Some([place @ .., Json::Object(kwargs)]) = item.as_array().map(Vec::as_slice) else {
            tensors.push(Arg::Tensor(History::parse(item)?));
            continue;
        };
        tensors.push(Arg::Tensor(History::parse(&Json::from(place))?));
        for (key, value) in kwargs {
            keyword.push((key.clone(), arg(value)?));
        }
    }
    let first = match tensors.len() {
        1 => tensors.remove(0),
        _ => Arg::List(tensors),
    };
    Ok(CallArgs { positional: vec![first], keyword })
}

/// What a record of a tensor says besides its history. Keras, too, looks at its form only: shape and
/// dtype come from the layer that gives the tensor.
fn check_tensor(config: &Json) -> Result<()> {
    let is_extent = |extent: &Json| extent.is_null() || extent.is_u64();
    match config.get("shape") {
        None => {}
        Some(Json::Array(extents)) if extents.iter().all(is_extent) => {}
        Some(shape) => return Err(bad("the shape of a tensor is not a list of extents", shape)),
    }
    match config.get("dtype") {
        None | Some(Json::Null) => Ok(()),
        // `string` is no dtype of values that are computed with.
        Some(Json::String(name)) if name == "string" || DType::from_name(name).is_ok() => Ok(()),
        Some(dtype) => Err(bad("the dtype of a tensor is not one of Keras's", dtype)),
    }
}

fn arg(json: &Json) -> Result<Arg<History>> {
    match json {
        Json::Array(items) => {
            let items = items.iter().map(arg).collect::<Result<Vec<_>>>()?;
            // A list without tensors is a plain value, such as a shape.
            let plain = items.iter().all(|item| matches!(item, Arg::Plain(_)));
            Ok(if plain { Arg::Plain(json.clone()) } else { Arg::List(items) })
        }
        Json::Object(map) if map.contains_key("class_name") && map.contains_key("config") => {
            if json["class_name"] != "__keras_tensor__" {
                return Ok(Arg::Plain(json.clone()));
            }
            check_tensor(&json["config"])?;
            History::parse(&json["config"]["keras_history"]).map(Arg::Tensor)
        }
        Json::Object(map) => {
            let items = map
                .iter()
                .map(|(key, value)| Ok((key.clone(), arg(value)?)))
                .collect::<Result<Vec<_>>>()?;
            let plain = items.iter().all(|(_, item)| matches!(item, Arg::Plain(_)));
            Ok(if plain && !items.is_empty() { Arg::Plain(json.clone()) } else { Arg::Dict(items) })
        }
        _ => Ok(Arg::Plain(json.clone())),
    }
}

/// The structure of a model's inputs or outputs.
pub fn structure(json: &Json) -> Result<Nested<History>> {
    match json {
        Json::Null => Ok(Nested::None),
        Json::Array(items) if matches!(items.first(), Some(Json::String(_))) => {
            History::parse(json).map(Nested::Leaf)
        }
        Json::Array(items) => items.iter().map(structure).collect::<Result<_>>().map(Nested::List),
        Json::Object(items) => items
            .iter()
            .map(|(key, value)| Ok((key.clone(), structure(value)?)))
            .collect::<Result<_>>()
            .map(Nested::Dict),
        _ => Err(bad("not a structure of tensors", json)),
    }
}
