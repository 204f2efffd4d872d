//! Classes that Keras's own tests define, registered as any user registers classes of a model.

use std::sync::Arc;

use crate::base::{Error, Nested, Result};
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::config::{Config, Json};
use crate::layers::{
    Arg, Args, CallArgs, Cell, Context, Dense, Layer, LayerBase, LayerBuilder, Outputs,
    SymbolicSpec,
};
use crate::models::CustomObjects;
use crate::tensor::Variable;

/// The classes by their names in files.
pub fn custom_objects() -> CustomObjects {
    CustomObjects::new()
        .layer("OneStateRNNCell", |config| SumCell::from_config("OneStateRNNCell", config, ONE))
        .layer("TwoStatesRNNCell", |config| SumCell::from_config("TwoStatesRNNCell", config, TWO))
        .layer("RNNCellWithDropout", |config| {
            // Predicting drops nothing.
            for key in ["dropout", "recurrent_dropout"] {
                config.float(key)?;
            }
            config.get("seed");
            SumCell::from_config("RNNCellWithDropout", config, ONE)
        })
        .layer("my_custom_package>MyDense", |config| {
            let record = LayerBuilder::from(Dense::new(config.size("units")?).name("dense"));
            let inner = [("nested_layer", config.layer_of(&Json::Object(record.record()))?)];
            Chain::boxed("MyDense", config, &SCALARS, inner)
        })
        .layer("my_custom_package>CustomModelX", |config| {
            let inner = |name: &str| {
                let mut dense = serde_json::Map::new();
                dense.insert("module".into(), "keras.src.saving.saving_lib_test".into());
                dense.insert("class_name".into(), "MyDense".into());
                dense.insert("registered_name".into(), "my_custom_package>MyDense".into());
                dense.insert("config".into(), serde_json::json!({"name": name, "units": 1}));
                config.layer_of(&Json::Object(dense))
            };
            let both = [("dense1", inner("my_dense_1")?), ("dense2", inner("my_dense_2")?)];
            Chain::boxed("CustomModelX", config, &[], both)
        })
}

const ONE: &[&str] = &["recurrent_kernel"];
const TWO: &[&str] = &["recurrent_kernel_1", "recurrent_kernel_2"];
const SCALARS: [&str; 3] = ["my_additional_weight", "my_additional_weight_2", "my_dict_weight"];

/// A cell with as many states as recurrent kernels R: inputs · kernel + first state · R each, and
/// their sum as the output.
struct SumCell {
    base: LayerBase,
    units: usize,
    state_size: Vec<usize>,
    recurrent: &'static [&'static str],
    weights: Vec<Variable>,
}

impl SumCell {
    fn from_config(
        class_name: &'static str,
        config: &Config,
        recurrent: &'static [&'static str],
    ) -> Result<Box<dyn Layer>> {
        let units = config.size("units")?;
        let state_size = match config.get("state_size") {
            Json::Null => vec![units; recurrent.len()],
            Json::Array(sizes) => config.sizes("state_size", sizes.len())?,
            _ => vec![config.size("state_size")?],
        };
        let base = LayerBase::new(class_name, config)?;
        Ok(Box::new(SumCell { base, units, state_size, recurrent, weights: Vec::new() }))
    }
}

impl Layer for SumCell {
    fn base(&self) -> &LayerBase {
        &self.base
    }

    fn base_mut(&mut self) -> &mut LayerBase {
        &mut self.base
    }

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let rows = inputs.input_shape()?.known(-1)?;
        self.weights =
            vec![self.base.add_weight("kernel", [rows, self.units], &Initializer::ONES)?];
        for name in self.recurrent {
            let shape = [self.units, self.units];
            self.weights.push(self.base.add_weight(name, shape, &Initializer::ONES)?);
        }
        Ok(())
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let states = args.get(1, "states").and_then(Arg::nested);
        let first = states.as_ref().and_then(|states| states.flatten().first().map(|s| **s));
        let first = first.ok_or_else(|| Error::shape("cell", "no states", "a list of states"))?;
        let mut weights = self.weights.iter().map(|weight| cx.read(weight));
        let unbuilt = || Error::Internal("a cell is called before it is built".into());
        let projected = args.input()?.dot(weights.next().ok_or_else(unbuilt)?);
        let next: Vec<Value<'g>> = weights.map(|weight| projected + first.dot(weight)).collect();
        let output = next.iter().copied().reduce(|a, b| a + b).ok_or_else(unbuilt)?;
        Ok(Nested::List(vec![Nested::Leaf(output), next.into()]))
    }

    fn cell(&self) -> Option<&dyn Cell> {
        Some(self)
    }
}

impl Cell for SumCell {
    fn state_size(&self) -> Vec<usize> {
        self.state_size.clone()
    }

    fn output_size(&self) -> Option<usize> {
        Some(self.units)
    }
}

/// Layers one after the other, with scalars that no output depends on.
struct Chain {
    base: LayerBase,
    scalars: &'static [&'static str],
    layers: Vec<(&'static str, Arc<dyn Layer>)>,
}

impl Chain {
    fn boxed(
        class_name: &'static str,
        config: &Config,
        scalars: &'static [&'static str],
        layers: impl IntoIterator<Item = (&'static str, Box<dyn Layer>)>,
    ) -> Result<Box<dyn Layer>> {
        let layers = layers.into_iter().map(|(name, layer)| (name, Arc::from(layer))).collect();
        Ok(Box::new(Chain { base: LayerBase::new(class_name, config)?, scalars, layers }))
    }
}

impl Layer for Chain {
    fn base(&self) -> &LayerBase {
        &self.base
    }

    fn base_mut(&mut self) -> &mut LayerBase {
        &mut self.base
    }

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        for name in self.scalars {
            self.base.add_weight(name, [], &Initializer::ONES)?;
        }
        let mut shape = inputs.input_shape()?.clone();
        for (_, layer) in &mut self.layers {
            let in_use = || Error::Internal("a layer in use is built".into());
            let layer = Arc::get_mut(layer).ok_or_else(in_use)?;
            let spec = SymbolicSpec { shape: shape.clone(), dtype: layer.base().policy.compute };
            layer.build(&CallArgs::one(Arg::Tensor(spec)))?;
            layer.base_mut().built = true;
            // All of them end in a dense layer of one unit.
            if let Some(last) = shape.0.last_mut() {
                *last = Some(1);
            }
        }
        Ok(())
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let mut x = args.input()?;
        for (name, layer) in &self.layers {
            let outputs = cx.call(layer.as_ref(), &CallArgs::one(Arg::Tensor(x)))?;
            let none = || Error::shape("chain", format!("'{name}' gives several"), "one tensor");
            x = outputs.leaf().copied().ok_or_else(none)?;
        }
        Ok(x.into())
    }

    fn children(&self) -> Vec<(&'static str, Nested<Arc<dyn Layer>>)> {
        let child =
            |(name, layer): &(&'static str, Arc<dyn Layer>)| (*name, Nested::Leaf(layer.clone()));
        self.layers.iter().map(child).collect()
    }
}
