//! Models made in Rust: builders that write the config Keras would write, and read it back through
//! the loader, so that there is one way to a model.

use std::collections::HashMap;

use serde_json::{Map, json};

use crate::base::naming::snake_case;
use crate::base::{DType, Dim, Error, Result};
use crate::layers::config::Json;
use crate::layers::{LayerBuilder, SymbolicSpec};
use crate::models::custom::CustomObjects;
use crate::models::form::Form;
use crate::models::model::Model;

/// Gives every layer a name of its own: the class's, numbered from the second on.
#[derive(Debug, Default)]
struct Names(HashMap<String, usize>);

impl Names {
    fn of(&mut self, layer: &LayerBuilder) -> String {
        match layer.name() {
            Some(name) => name.to_owned(),
            None => self.automatic(&snake_case(layer.class_name())),
        }
    }

    fn automatic(&mut self, base: &str) -> String {
        let count = self.0.entry(base.to_owned()).or_insert(0);
        *count += 1;
        if *count == 1 { base.to_owned() } else { format!("{base}_{}", *count - 1) }
    }
}

fn input_record(name: &str, shape: &[Dim], dtype: DType) -> Map<String, Json> {
    let mut batch_shape = vec![Json::Null];
    batch_shape.extend(shape.iter().map(|d| d.map_or(Json::Null, Json::from)));
    let record = json!({
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": {
            "batch_shape": batch_shape,
            "dtype": dtype.name(),
            "sparse": false,
            "ragged": false,
            "name": name,
        },
        "registered_name": null,
    });
    into_map(record)
}

fn into_map(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

/// The extents of an input without the batch axis: numbers, or `None` where unknown.
pub trait IntoDims {
    /// The extents, outermost first.
    fn into_dims(self) -> Vec<Dim>;
}

impl<const N: usize> IntoDims for [usize; N] {
    fn into_dims(self) -> Vec<Dim> {
        self.into_iter().map(Some).collect()
    }
}

impl<const N: usize> IntoDims for [Dim; N] {
    fn into_dims(self) -> Vec<Dim> {
        self.to_vec()
    }
}

impl IntoDims for Vec<Dim> {
    fn into_dims(self) -> Vec<Dim> {
        self
    }
}

/// Builds a `keras.Sequential`.
///
/// ```
/// use keraunos::{Sequential, layers::{Dense, Softmax}};
/// # fn main() -> keraunos::Result<()> {
/// let model = Sequential::new([3]).add(Dense::new(5)).add(Softmax::new()).build()?;
/// assert_eq!(model.summary().total_params, 20);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Sequential {
    name: String,
    dtype: DType,
    input: Vec<Dim>,
    layers: Vec<LayerBuilder>,
}

impl Sequential {
    /// A model whose input has this shape, without the batch axis.
    pub fn new(input: impl IntoDims) -> Sequential {
        Sequential {
            name: "sequential".into(),
            dtype: DType::Float32,
            input: input.into_dims(),
            layers: Vec::new(),
        }
    }

    /// The model's name; `sequential` where none is given.
    #[must_use]
    pub fn name(mut self, name: &str) -> Sequential {
        self.name = name.into();
        self
    }

    /// The dtype of the input.
    #[must_use]
    pub fn dtype(mut self, dtype: DType) -> Sequential {
        self.dtype = dtype;
        self
    }

    /// Adds a layer at the end.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "Keras's name")]
    pub fn add(mut self, layer: impl Into<LayerBuilder>) -> Sequential {
        self.layers.push(layer.into());
        self
    }

    /// The model, with new weights.
    ///
    /// # Errors
    /// If a layer has a wrong argument, or cannot take what the layer before it gives; the error
    /// names the layer.
    pub fn build(self) -> Result<Model> {
        let mut names = Names::default();
        let input = input_record("input_layer", &self.input, self.dtype);
        let batch_shape = input["config"]["batch_shape"].clone();
        let mut records = vec![Json::Object(input)];
        for layer in self.layers {
            let name = names.of(&layer);
            records.push(Json::Object(layer.set("name", name).record()));
        }
        let config = json!({
            "module": "keras",
            "class_name": "Sequential",
            "config": {
                "name": self.name,
                "trainable": true,
                "dtype": crate::layers::builder::policy("float32"),
                "layers": records,
                "build_input_shape": batch_shape,
            },
            "registered_name": null,
            "build_config": {"input_shape": batch_shape},
            "compile_config": {},
        });
        Model::from_config(config, &CustomObjects::new())
    }
}

/// A tensor of a functional model under construction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KerasTensor {
    layer: String,
    node: usize,
}

impl KerasTensor {
    fn record(&self) -> Json {
        json!({
            "class_name": "__keras_tensor__",
            "config": {"keras_history": [self.layer, self.node, 0]},
        })
    }

    fn history(&self) -> Json {
        json!([self.layer, self.node, 0])
    }
}

/// A layer that can be called several times: its calls share its weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedLayer(String);

/// Builds a functional `keras.Model`.
///
/// ```
/// use keraunos::{Functional, layers::{Add, Dense}};
/// # fn main() -> keraunos::Result<()> {
/// let mut graph = Functional::new();
/// let x = graph.input("x", [8]);
/// let hidden = graph.call(Dense::new(8).activation("relu"), &[&x]);
/// let sum = graph.call(Add::new(), &[&x, &hidden]);
/// let model = graph.build(&[&x], &[&sum])?;
/// assert_eq!(model.outputs()[0].name, "add");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Functional {
    name: Option<String>,
    names: Names,
    records: Vec<Map<String, Json>>,
    /// Calls of each layer, and whether it takes a list.
    index: HashMap<String, usize>,
}

impl Functional {
    /// A model without inputs and layers.
    pub fn new() -> Functional {
        Functional::default()
    }

    /// The model's name; `functional` where none is given.
    #[must_use]
    pub fn name(mut self, name: &str) -> Functional {
        self.name = Some(name.into());
        self
    }

    /// An input of this shape, without the batch axis, in float32.
    pub fn input(&mut self, name: &str, shape: impl IntoDims) -> KerasTensor {
        self.typed_input(name, shape, DType::Float32)
    }

    /// An input of another dtype.
    pub fn typed_input(&mut self, name: &str, shape: impl IntoDims, dtype: DType) -> KerasTensor {
        let record = input_record(name, &shape.into_dims(), dtype);
        self.push(name.to_owned(), record);
        KerasTensor { layer: name.to_owned(), node: 0 }
    }

    /// Adds a layer to be called with [`call_shared`](Functional::call_shared).
    pub fn layer(&mut self, layer: impl Into<LayerBuilder>) -> SharedLayer {
        let layer = layer.into();
        let name = self.names.of(&layer);
        self.push(name.clone(), layer.set("name", name.clone()).record());
        SharedLayer(name)
    }

    /// Adds a layer and calls it once: with one tensor, or with a list of several.
    pub fn call(&mut self, layer: impl Into<LayerBuilder>, inputs: &[&KerasTensor]) -> KerasTensor {
        let layer = self.layer(layer);
        self.call_shared(&layer, inputs)
    }

    /// Calls a layer once more.
    pub fn call_shared(&mut self, layer: &SharedLayer, inputs: &[&KerasTensor]) -> KerasTensor {
        let args = match inputs {
            [one] => json!([one.record()]),
            all => json!([all.iter().map(|t| t.record()).collect::<Vec<_>>()]),
        };
        let node = json!({"args": args, "kwargs": {}});
        let record = self.index.get(&layer.0).and_then(|&i| self.records.get_mut(i));
        let nodes = record.and_then(|r| r.get_mut("inbound_nodes")).and_then(Json::as_array_mut);
        let count = nodes.map_or(0, |nodes| {
            nodes.push(node);
            nodes.len() - 1
        });
        KerasTensor { layer: layer.0.clone(), node: count }
    }

    fn push(&mut self, name: String, mut record: Map<String, Json>) {
        record.insert("name".into(), Json::String(name.clone()));
        record.insert("inbound_nodes".into(), json!([]));
        self.index.insert(name, self.records.len());
        self.records.push(record);
    }

    /// The model between inputs and outputs, with new weights.
    ///
    /// # Errors
    /// If the calls do not fit together; the error names the layer.
    pub fn build(self, inputs: &[&KerasTensor], outputs: &[&KerasTensor]) -> Result<Model> {
        if self.index.len() != self.records.len() {
            return Err(Error::Invalid("two layers of the model have one name".into()));
        }
        let structure = |tensors: &[&KerasTensor]| match tensors {
            [one] => json!([one.history()]),
            all => Json::Array(all.iter().map(|t| t.history()).collect()),
        };
        let layers: Vec<Json> = self.records.iter().cloned().map(Json::Object).collect();
        let config = json!({
            "module": "keras.src.models.functional",
            "class_name": "Functional",
            "config": {
                "name": self.name.as_deref().unwrap_or("functional"),
                "trainable": true,
                "layers": layers,
                "input_layers": structure(inputs),
                "output_layers": structure(outputs),
            },
            "registered_name": "Functional",
            "build_config": {"input_shape": null},
            "compile_config": {},
        });
        let mut model = Model::from_config(config, &CustomObjects::new())?;
        model.annotate();
        Ok(model)
    }
}

impl Model {
    /// Adds shape and dtype to every tensor of the config's calls: Keras wants them, and they are
    /// known now.
    fn annotate(&mut self) {
        let Form::Functional(graph) = &self.form else { return };
        let mut specs: HashMap<(String, u64), SymbolicSpec> = HashMap::new();
        let mut calls: HashMap<usize, u64> = HashMap::new();
        for call in &graph.calls {
            let node = calls.entry(call.layer).or_insert(0);
            let name = graph.members[call.layer].layer.base().name.clone();
            if let Some(spec) = call.outputs.first() {
                specs.insert((name, *node), spec.clone());
            }
            *node += 1;
        }
        let layers = self.config.pointer_mut("/config/layers").and_then(Json::as_array_mut);
        layers.into_iter().flatten().filter_map(|l| l.get_mut("inbound_nodes")).for_each(|nodes| {
            annotate(nodes, &specs);
        });
    }
}

/// Adds shape and dtype to the tensors of some arguments.
fn annotate(json: &mut Json, specs: &HashMap<(String, u64), SymbolicSpec>) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(|item| annotate(item, specs)),
        Json::Object(map) if map.get("class_name").is_some_and(|c| c == "__keras_tensor__") => {
            let history = &map["config"]["keras_history"];
            let layer = history[0].as_str().unwrap_or("").to_owned();
            let Some(spec) = specs.get(&(layer, history[1].as_u64().unwrap_or(0))) else { return };
            let shape: Vec<Json> =
                spec.shape.0.iter().map(|d| d.map_or(Json::Null, Json::from)).collect();
            map["config"] = json!({
                "shape": shape,
                "dtype": spec.dtype.name(),
                "keras_history": history,
            });
        }
        Json::Object(map) => map.values_mut().for_each(|value| annotate(value, specs)),
        _ => {}
    }
}
