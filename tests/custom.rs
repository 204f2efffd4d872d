//! Layers of the user's own in the place of what a file holds.

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{assert_close, gpu};
use keraunos::base::{Nested, Spec};
use keraunos::graph::{Graph, Value};
use keraunos::initializers::Initializer;
use keraunos::layers::config::Config;
use keraunos::layers::{
    Arg, Args, CallArgs, Cell, Context, Dense, Layer, LayerBase, LayerNormalization,
    MultiHeadAttention, Outputs, SymbolicSpec, build,
};
use keraunos::losses::{Function, Samples, Weights};
use keraunos::metrics::{Metric, MetricBase};
use keraunos::saving::npz::read_npz;
use keraunos::trainers::{Data, EvaluateOptions};
use keraunos::{CustomObjects, DType, Device, LoadOptions, Model, Result, Tensor, load_model_with};
use serde_json::json;

struct Doubled(LayerBase);

impl Doubled {
    fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        Ok(Box::new(Doubled(LayerBase::new("Doubled", config)?)))
    }
}

impl Layer for Doubled {
    fn base(&self) -> &LayerBase {
        &self.0
    }

    fn base_mut(&mut self) -> &mut LayerBase {
        &mut self.0
    }

    fn call<'g>(&self, _: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        Ok((args.input()? * 2.0).into())
    }
}

fn with_lambda(custom: &CustomObjects) -> Result<Model> {
    let function = json!({"class_name": "__lambda__", "config": {"code": "4wEAAAA="}});
    let layers = json!([
        {"module": "keras.layers", "class_name": "InputLayer", "registered_name": null,
         "config": {"name": "x", "batch_shape": [null, 2], "dtype": "float32"}},
        {"module": "keras.layers", "class_name": "Lambda", "registered_name": null,
         "config": {"name": "twice", "trainable": true, "function": function}},
    ]);
    let record = json!({
        "module": "keras", "class_name": "Sequential", "registered_name": null,
        "config": {"name": "model", "layers": layers},
    });
    Model::from_config(record, custom)
}

#[test]
fn a_lambda_is_refused_with_the_way_to_replace_it() {
    let message = with_lambda(&CustomObjects::new()).err().unwrap().to_string();
    assert!(message.contains("never run") && message.contains("replace_layer"), "{message}");
    let elsewhere = CustomObjects::new().replace_layer("thrice", Doubled::from_config);
    assert!(with_lambda(&elsewhere).is_err());
}

#[test]
fn a_layer_stands_for_a_lambda_by_its_name() {
    let custom = CustomObjects::new().replace_layer("twice", Doubled::from_config);
    let x = Tensor::new([1, 2], &[1f32, -3.0]).unwrap();
    let y = with_lambda(&custom).unwrap().call(&[x], &Device::Host).unwrap();
    assert_eq!(y[0].to_vec::<f32>().unwrap(), [2.0, -6.0]);
}

/// `my_package>Scaled` of `tests/keras/make_custom.py`.
struct Scaled(LayerBase, f64);

impl Layer for Scaled {
    fn base(&self) -> &LayerBase {
        &self.0
    }

    fn base_mut(&mut self) -> &mut LayerBase {
        &mut self.0
    }

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let channels = inputs.input_shape()?.known(-1)?;
        self.0.add_weight("gain", [channels], &Initializer::ONES).map(drop)
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        Ok((args.input()? * cx.read(&self.0.variables[0]) * self.1).into())
    }
}

/// `my_package>Leaky`: a cell of which half the state leaks away.
struct Leaky(LayerBase, usize);

impl Layer for Leaky {
    fn base(&self) -> &LayerBase {
        &self.0
    }

    fn base_mut(&mut self) -> &mut LayerBase {
        &mut self.0
    }

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let shape = [inputs.input_shape()?.known(-1)?, self.1];
        self.0.add_weight("kernel", shape, &Initializer::GLOROT_UNIFORM).map(drop)
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let states = args.get(1, "states").and_then(Arg::nested);
        let states = states.unwrap_or(Nested::None);
        let state = *states.flatten()[0];
        let h = args.input()?.dot(cx.read(&self.0.variables[0])).tanh() + state * 0.5;
        Ok(vec![h, h].into())
    }

    fn cell(&self) -> Option<&dyn Cell> {
        Some(self)
    }
}

impl Cell for Leaky {
    fn state_size(&self) -> Vec<usize> {
        vec![self.1]
    }
}

/// `my_package>TransformerBlock`: layers within a layer.
struct TransformerBlock {
    base: LayerBase,
    att: Arc<dyn Layer>,
    ffn: Arc<dyn Layer>,
    norms: [Arc<dyn Layer>; 2],
}

impl TransformerBlock {
    fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let (heads, width) = (config.size("heads")?, config.size("width")?);
        let hidden = Dense::new(config.size("hidden")?).activation("relu");
        let norm = || config.make(LayerNormalization::new().epsilon(1e-6)).map(Arc::from);
        Ok(Box::new(TransformerBlock {
            base: LayerBase::new("TransformerBlock", config)?,
            att: config.make(MultiHeadAttention::new(heads, width))?.into(),
            ffn: config.make_sequential([hidden.into(), Dense::new(width).into()])?.into(),
            norms: [norm()?, norm()?],
        }))
    }
}

impl Layer for TransformerBlock {
    fn base(&self) -> &LayerBase {
        &self.base
    }

    fn base_mut(&mut self) -> &mut LayerBase {
        &mut self.base
    }

    fn children(&self) -> Vec<(&'static str, Nested<Arc<dyn Layer>>)> {
        let norms = self.norms.iter().cloned().map(Nested::Leaf).collect();
        let leaf = |layer: &Arc<dyn Layer>| Nested::Leaf(layer.clone());
        vec![("att", leaf(&self.att)), ("ffn", leaf(&self.ffn)), ("norms", Nested::List(norms))]
    }

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let x = inputs.positional[0].clone();
        let twice = CallArgs { positional: vec![x.clone(), x], keyword: Vec::new() };
        build(&mut self.att, &twice)?;
        build(&mut self.ffn, inputs)?;
        self.norms.iter_mut().try_for_each(|norm| build(norm, inputs))
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let x = args.input()?;
        let attended = cx.apply(self.att.as_ref(), [x, x])?;
        let x = cx.apply(self.norms[0].as_ref(), [x + attended])?;
        let fed = cx.apply(self.ffn.as_ref(), [x])?;
        Ok(cx.apply(self.norms[1].as_ref(), [x + fed])?.into())
    }
}

/// `my_package>Farthest`: the largest difference seen.
struct Farthest(MetricBase);

impl Metric for Farthest {
    fn base(&self) -> &MetricBase {
        &self.0
    }

    fn base_mut(&mut self) -> &mut MetricBase {
        &mut self.0
    }

    fn build(&mut self, _: &[Spec]) -> Result<()> {
        self.0.add_variable("largest", [], DType::Float32).map(drop)
    }

    fn update<'g>(&self, graph: &'g Graph, inputs: &[Value<'g>], _: Weights<'g>) -> Result<()> {
        let largest = &self.0.variables[0];
        let apart = (inputs[0] - inputs[1]).abs();
        let axes: Vec<usize> = (0..apart.rank()).collect();
        graph.assign(largest, graph.read(largest).maximum(apart.max(&axes)));
        Ok(())
    }

    fn result<'g>(&self, graph: &'g Graph) -> Result<Value<'g>> {
        Ok(graph.read(&self.0.variables[0]))
    }
}

fn apart<'g>(y_true: Value<'g>, y_pred: Value<'g>) -> Samples<'g> {
    let apart = (y_true - y_pred).abs();
    let cubes = apart * apart * apart;
    cubes.mean(&[cubes.rank() - 1]).into()
}

fn my_package() -> CustomObjects {
    CustomObjects::new()
        .layer("my_package>Scaled", |config| {
            let base = LayerBase::new("Scaled", config)?;
            Ok(Box::new(Scaled(base, config.float("factor")?)))
        })
        .layer("my_package>Leaky", |config| {
            Ok(Box::new(Leaky(LayerBase::new("Leaky", config)?, config.size("units")?)))
        })
        .layer("my_package>TransformerBlock", TransformerBlock::from_config)
        .operation("my_package>Cubed", |config| {
            let shift = config.float("shift")?;
            Ok(Box::new(move |args| {
                let x = args.input()?;
                Ok((x * x * x + shift).into())
            }))
        })
        .activation("my_package>bent", |x| (x * x + 1.0).sqrt() - 1.0 + x)
        .initializer("my_package>Threes", |config| {
            Ok(Initializer::Constant(config.float("value")?))
        })
        .loss("my_package>apart", |_| Ok(Arc::new(apart) as Arc<dyn Function>))
        .metric("my_package>Farthest", |config| {
            Ok(Box::new(Farthest(MetricBase::new(config, "farthest")?)))
        })
}

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/custom").join(file)
}

/// What Keras recorded in a file under a name.
fn recorded_in(file: &str, name: &str) -> Tensor {
    read_npz(&path(file)).unwrap().into_iter().find(|(n, _)| n == name).unwrap().1
}

fn recorded(name: &str) -> Tensor {
    recorded_in("custom.npz", name)
}

fn load(file: &str, custom_objects: CustomObjects) -> Result<Model> {
    load_model_with(path(file), &LoadOptions { custom_objects, ..LoadOptions::default() })
}

fn custom_model(custom_objects: CustomObjects) -> Result<Model> {
    load("custom.keras", custom_objects)
}

#[test]
fn objects_of_a_package_give_what_they_give_in_keras() {
    for device in [Device::Host, gpu()] {
        let mut model = custom_model(my_package()).unwrap();
        let y = model.call(&[recorded("x")], &device).unwrap();
        assert_close(&y[0], &recorded("y"), 1e-5, "custom");
        let data = Data::new(&[recorded("x")], &[recorded("labels")]);
        let options = EvaluateOptions::on(device);
        let logs = model.evaluate(&data, &options).unwrap();
        for name in ["loss", "apart", "farthest"] {
            let found = logs.iter().find(|(n, _)| n == name).and_then(|(_, v)| v.number());
            let found = found.unwrap_or_else(|| panic!("{logs:?}"));
            let expected = recorded(name).iter_f64().next().unwrap();
            assert!((found - expected).abs() < 1e-5, "{name}: {found}, expected {expected}");
        }
    }
}

#[test]
fn a_layer_holds_layers() {
    for device in [Device::Host, gpu()] {
        let model = load("block.keras", my_package()).unwrap();
        let y = model.call(&[recorded_in("block.npz", "x")], &device).unwrap();
        assert_close(&y[0], &recorded_in("block.npz", "y"), 1e-5, "block");
    }
}

#[test]
fn what_is_not_registered_is_refused_by_name() {
    let message = custom_model(CustomObjects::new()).err().unwrap().to_string();
    assert!(message.contains("my_package>apart") && message.contains("register"), "{message}");
}
