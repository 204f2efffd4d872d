//! What layers and regularizers add to the loss.

use keraunos::base::{DType, Spec};
use keraunos::graph::Graph;
use keraunos::layers::config::Config;
use keraunos::layers::{ActivityRegularization, Arg, CallArgs, Context, TimeDistributed, registry};
use keraunos::program::{Options, Program};
use keraunos::runtime::Compiled;
use keraunos::trainers::{Compile, Data, EvaluateOptions};
use keraunos::{Device, Model, Sequential, Tensor};
use serde_json::json;

fn ones(shape: &[usize]) -> Tensor {
    Tensor::new(shape, &vec![1.0f32; shape.iter().product()]).unwrap()
}

/// The loss of a model that shall give ones for ones.
fn loss(mut model: Model, shape: &[usize]) -> f64 {
    model.compile(Compile::new("sgd").loss("mse")).unwrap();
    let data = Data::new(&[ones(shape)], &[ones(shape)]);
    model.evaluate(&data, &EvaluateOptions::on(Device::Host)).unwrap()[0].1.mean()
}

#[test]
fn a_penalty_on_outputs_is_a_mean_over_the_batch() {
    let model = Sequential::new([3, 2]).add(ActivityRegularization::new().l1(0.5)).build().unwrap();
    assert_eq!(loss(model, &[4, 3, 2]), 3.0);
}

#[test]
fn a_penalty_within_time_distributed_has_no_effect() {
    let layer = json!({
        "module": "keras.layers", "class_name": "ActivityRegularization", "config": { "l1": 0.5 },
    });
    let model = Sequential::new([3, 2]).add(TimeDistributed::new(layer)).build().unwrap();
    assert_eq!(loss(model, &[4, 3, 2]), 0.0);
}

#[test]
fn of_two_calls_of_a_layer_the_last_one_is_penalized() {
    let def = registry::find("ActivityRegularization").unwrap();
    let given = json!({ "name": "twice", "l1": 1.0 }).as_object().unwrap().clone();
    let layer = (def.new)(&Config::new("a test".into(), given, (def.defaults)())).unwrap();
    let graph = Graph::new();
    let x = graph.input(Spec::new([1, 2], DType::Float32));
    let cx = Context::new(&graph, true);
    for value in [x, x * 3.0] {
        cx.call(layer.as_ref(), &CallArgs::one(Arg::Tensor(value))).unwrap();
    }
    let losses: Vec<_> = graph.losses().iter().map(|loss| loss.id()).collect();
    let program = Program::new(graph.finish().unwrap(), &losses);
    let options = Options::default();
    let compiled = Compiled::new(program, &Device::Host, &options, &mut |_, _| {}).unwrap();
    let found = compiled.run(&[ones(&[1, 2])]).unwrap();
    assert_eq!(found, [Tensor::new([], &[6.0f32]).unwrap()]);
}

#[test]
fn the_slope_of_an_absolute_value_is_one_at_zero() {
    let graph = Graph::new();
    let x = graph.input(Spec::new([3], DType::Float32));
    let slope = graph.grad(x.abs().sum(&[0]), &[x]).unwrap()[0].unwrap().id();
    let program = Program::new(graph.finish().unwrap(), &[slope]);
    let options = Options::default();
    let compiled = Compiled::new(program, &Device::Host, &options, &mut |_, _| {}).unwrap();
    let found = compiled.run(&[Tensor::new([3], &[-2.0f32, 0.0, 2.0]).unwrap()]).unwrap();
    assert_eq!(found, [Tensor::new([3], &[-1.0f32, 1.0, 1.0]).unwrap()]);
}

#[test]
fn a_regularizer_of_a_weight_that_a_layer_does_not_have_is_refused() {
    let layer = |class: &str, key: &str| json!({ "module": "keras.layers", "class_name": class, "config": { "units": 2, key: "l2" } });
    let build = |record| Sequential::new([3, 2]).add(TimeDistributed::new(record)).build();
    assert!(build(layer("Dense", "bias_regularizer")).is_ok());
    let message = build(layer("Dense", "gamma_regularizer")).unwrap_err().to_string();
    assert!(message.contains("gamma_regularizer"), "{message}");
}
