//! Configs that ask for much with little text, and configs of many layers: an error or an answer, in
//! bounded time and memory.

#![allow(clippy::needless_pass_by_value, reason = "the helpers put what they are given into JSON")]

mod common;

use std::time::{Duration, Instant};

use keraunos::models::CustomObjects;
use keraunos::{Device, Error, Model, Tensor};
use serde_json::{Value as Json, json};

/// Far more than these need on a busy machine; what grows with a power of the size, or doubles with each
/// level, takes hours.
const TIME: Duration = Duration::from_secs(60);

fn history(layer: &str, node: usize) -> Json {
    let config = json!({"shape": [null, 4], "dtype": "float32", "keras_history": [layer, node, 0]});
    json!({"class_name": "__keras_tensor__", "config": config})
}

fn node(args: Json) -> Json {
    json!({"args": args, "kwargs": {}})
}

fn layer(class_name: &str, name: &str, mut config: Json, nodes: Vec<Json>) -> Json {
    config["name"] = json!(name);
    json!({"module": "keras.layers", "class_name": class_name, "config": config,
           "registered_name": null, "name": name, "inbound_nodes": nodes})
}

fn input(shape: &[usize]) -> Json {
    let mut batch_shape = vec![Json::Null];
    batch_shape.extend(shape.iter().map(|&n| json!(n)));
    layer("InputLayer", "x", json!({"batch_shape": batch_shape}), vec![])
}

fn functional(name: &str, layers: Vec<Json>, output: &str, node: usize) -> Json {
    json!({
        "module": "keras.src.models.functional", "class_name": "Functional",
        "config": {"name": name, "trainable": true, "layers": layers,
                   "input_layers": [["x", 0, 0]], "output_layers": [[output, node, 0]]},
        "registered_name": "Functional",
    })
}

/// The output of a model for one row of ones, within the time allowed.
fn predict(config: Json, shape: &[usize]) -> Result<Tensor, Error> {
    let start = Instant::now();
    let mut extents = vec![1];
    extents.extend_from_slice(shape);
    let ones = Tensor::new(extents, &vec![1f32; shape.iter().product()]).unwrap();
    let model = Model::from_config(config, &CustomObjects::new());
    let outputs = model.and_then(|model| model.call(&[ones], &Device::Host));
    assert!(start.elapsed() < TIME, "it took {:?}", start.elapsed());
    outputs.map(|mut outputs| outputs.remove(0))
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.iter_f64().collect()
}

#[test]
fn thousands_of_layers_listed_backwards() {
    const LAYERS: usize = 2_000;
    let name = |i: usize| if i == 0 { "x".to_owned() } else { format!("l{i}") };
    let mut layers: Vec<Json> = (1..=LAYERS)
        .map(|i| {
            let from = node(json!([history(&name(i - 1), 0)]));
            layer("Rescaling", &name(i), json!({"scale": 1.0, "offset": 1.0}), vec![from])
        })
        .collect();
    layers.reverse();
    layers.push(input(&[4]));
    let found = predict(functional("m", layers, &name(LAYERS), 0), &[4]).unwrap();
    assert_eq!(values(&found), [1.0 + LAYERS as f64; 4]);
}

#[test]
fn one_layer_with_thousands_of_inputs() {
    const INPUTS: usize = 800;
    let name = |i: usize| format!("l{i}");
    let sources: Vec<Json> = (0..INPUTS).map(|i| history(&name(i), 0)).collect();
    let mut layers = vec![layer("Add", "sum", json!({}), vec![node(json!([sources]))])];
    layers.extend((0..INPUTS).map(|i| {
        let settings = json!({"scale": 1.0, "offset": i});
        layer("Rescaling", &name(i), settings, vec![node(json!([history("x", 0)]))])
    }));
    layers.push(input(&[1]));
    let found = predict(functional("m", layers, "sum", 0), &[1]).unwrap();
    assert_eq!(values(&found), [(INPUTS + INPUTS * (INPUTS - 1) / 2) as f64]);
}

/// A model that calls the next one twice, and so on, `levels` deep.
fn doubling(levels: usize) -> Json {
    let mut inner = layer("Identity", "inner", json!({}), vec![]);
    for level in 0..levels {
        inner["name"] = json!("inner");
        inner["config"]["name"] = json!("inner");
        // The histories of a model's outputs count its own node, those of its layers do not.
        inner["inbound_nodes"] =
            json!([node(json!([history("x", 0)])), node(json!([history("inner", 0)]))]);
        let last = if level == 0 { 1 } else { 2 };
        inner = functional("m", vec![input(&[4]), inner], "inner", last);
    }
    inner
}

#[test]
fn models_in_models_do_not_double_without_end() {
    assert_eq!(values(&predict(doubling(4), &[4]).unwrap()), [1.0; 4]);
    let error = predict(doubling(28), &[4]).unwrap_err();
    assert!(matches!(error.root(), Error::Limit { .. }), "{error}");
}

#[test]
fn models_in_models_have_a_depth() {
    let mut config = functional("m", vec![input(&[4])], "x", 0);
    for _ in 0..100 {
        config["name"] = json!("inner");
        config["inbound_nodes"] = json!([node(json!([history("x", 0)]))]);
        config = functional("m", vec![input(&[4]), config], "inner", 1);
    }
    let error = predict(config, &[4]).unwrap_err();
    assert!(matches!(error.root(), Error::Limit { .. }), "{error}");
}

/// Layers that make much of little, by one number; the shape of their input, and their settings.
fn greedy() -> Vec<(&'static str, &'static [usize], Json)> {
    vec![
        ("RepeatVector", &[4], json!({"n": 2_000_000_000u32})),
        ("UpSampling1D", &[4, 4], json!({"size": 100_000_000})),
        ("UpSampling2D", &[4, 4, 1], json!({"size": [16_384, 16_384]})),
        (
            "UpSampling2D",
            &[4, 4, 1],
            json!({"size": [16_384, 16_384], "interpolation": "bilinear"}),
        ),
        ("ZeroPadding1D", &[4, 4], json!({"padding": 500_000_000})),
        ("ZeroPadding2D", &[4, 4, 1], json!({"padding": [[40_000, 0], [0, 40_000]]})),
        ("Resizing", &[4, 4, 1], json!({"height": 40_000, "width": 40_000})),
        (
            "CategoryEncoding",
            &[1],
            json!({"num_tokens": 2_000_000_000u32, "output_mode": "one_hot"}),
        ),
        ("Dense", &[1], json!({"units": 2_000_000_000u32, "kernel_initializer": "zeros"})),
        ("Conv1D", &[4, 1], json!({"filters": 2_000_000_000u32, "kernel_size": 1})),
        ("Conv2DTranspose", &[4, 4, 1], json!({"filters": 1, "kernel_size": 1, "strides": 20_000})),
        ("MaxPooling1D", &[4, 1], json!({"pool_size": 2_000_000_000u32, "padding": "same"})),
        ("AveragePooling2D", &[4, 4, 1], json!({"pool_size": 40_000, "padding": "same"})),
        ("Dense", &[1], json!({"units": 40_000, "kernel_initializer": "identity"})),
    ]
}

#[test]
fn layers_that_make_much_of_little_are_bounded() {
    for (class_name, shape, config) in greedy() {
        let shown = format!("{class_name} {config}");
        let call = vec![node(json!([history("x", 0)]))];
        let layers = vec![input(shape), layer(class_name, "greedy", config, call)];
        match predict(functional("m", layers, "greedy", 0), shape) {
            Ok(output) => assert!(output.len() < 1 << 20, "{shown}: gave {}", output.spec()),
            Err(error) => assert!(error.is_refusal(), "{shown}: {error}"),
        }
    }
    if let Some(peak) = common::peak_memory() {
        assert!(peak < 1 << 30, "{} MiB at the peak", peak >> 20);
    }
}
