//! Metrics on values that can be counted by hand, on both executors.

mod common;

use keraunos::graph::Graph;
use keraunos::layers::Dense;
use keraunos::losses::Weights;
use keraunos::metrics::{self, Metric};
use keraunos::program::{Options, Program};
use keraunos::runtime::Compiled;
use keraunos::trainers::{Compile, Data, EvaluateOptions, Logged};
use keraunos::{Device, Sequential, Tensor};
use serde_json::{Value as Json, json};

fn record(class_name: &str, config: &Json) -> Json {
    json!({ "module": "keras.metrics", "class_name": class_name, "config": config })
}

fn run(program: Program, inputs: &[Tensor], device: &Device) -> Vec<Tensor> {
    let options = Options::default();
    Compiled::new(program, device, &options, &mut |_, _| {}).unwrap().run(inputs).unwrap()
}

/// The result after one update with `[y_true, y_pred]` and perhaps sample weights.
fn measure(metric: &Json, batch: &[Tensor], device: &Device) -> Vec<f64> {
    let mut metric: Box<dyn Metric> = metrics::get(metric, "a test").unwrap();
    let specs: Vec<_> = batch[..2].iter().map(|tensor| tensor.spec().clone()).collect();
    metric.build(&specs).unwrap();
    let graph = Graph::new();
    let values: Vec<_> = batch.iter().map(|tensor| graph.input(tensor.spec().clone())).collect();
    let weights = Weights { sample_weight: values.get(2).copied(), mask: None };
    metric.update(&graph, &values[..2], weights).unwrap();
    run(Program::new(graph.finish().unwrap(), &[]), batch, device);
    let graph = Graph::new();
    let result = metric.result(&graph).unwrap().id();
    run(Program::new(graph.finish().unwrap(), &[result]), &[], device)[0].iter_f64().collect()
}

fn check(class_name: &str, config: &Json, batch: &[Tensor], expected: &[f64]) {
    for device in [Device::Host, common::gpu()] {
        let found = measure(&record(class_name, config), batch, &device);
        let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-5;
        let same = found.len() == expected.len() && found.iter().zip(expected).all(close);
        assert!(same, "{class_name} {config} on {device}: {found:?}, not {expected:?}");
    }
}

fn decisions() -> [Tensor; 2] {
    let y_true = Tensor::new([5], &[0i32, 1, 1, 0, 1]).unwrap();
    [y_true, Tensor::new([5], &[0.0f32, 0.5, 0.4, 0.8, 1.0]).unwrap()]
}

#[test]
fn a_prediction_on_a_threshold_is_not_above_it() {
    let batch = decisions();
    check("TruePositives", &json!({}), &batch, &[1.0]);
    // Thresholds evenly spread from 0 are found another way, to the same end.
    check("FalseNegatives", &json!({ "thresholds": [0.0, 0.5, 1.0] }), &batch, &[0.0, 2.0, 3.0]);
    check("TrueNegatives", &json!({ "thresholds": [0.0, 0.45, 1.0] }), &batch, &[1.0, 1.0, 2.0]);
    check("Precision", &json!({ "thresholds": [0.0, 0.5] }), &batch, &[0.75, 0.5]);
}

#[test]
fn weights_count_and_only_the_highest_predictions_can_be_right() {
    let [y_true, y_pred] = decisions();
    let weights = Tensor::new([5], &[1.0f32, 2.0, 3.0, 4.0, 5.0]).unwrap();
    check("Recall", &json!({}), &[y_true, y_pred, weights], &[0.5]);
    let y_true = Tensor::new([2, 3], &[1.0f32, 0.0, 1.0, 0.0, 1.0, 0.0]).unwrap();
    let y_pred = Tensor::new([2, 3], &[0.1f32, 0.2, 0.3, 0.3, 0.2, 0.1]).unwrap();
    let batch = [y_true, y_pred];
    check("Precision", &json!({ "top_k": 2 }), &batch, &[0.5]);
    check("Recall", &json!({ "top_k": 1, "class_id": -1 }), &batch, &[1.0]);
}

#[test]
fn areas_under_curves() {
    let y_true = Tensor::new([4], &[0i32, 0, 1, 1]).unwrap();
    let batch = [y_true, Tensor::new([4], &[0.0f32, 0.5, 0.3, 0.9]).unwrap()];
    // The example of Keras's documentation.
    check("AUC", &json!({ "num_thresholds": 3 }), &batch, &[0.75]);
}

#[test]
fn what_lies_outside_the_classes_does_not_count() {
    let y_true = Tensor::new([5], &[0i32, 0, 1, 1, 7]).unwrap();
    let batch = [y_true, Tensor::new([5], &[0i32, 1, 0, 1, 1]).unwrap()];
    check("MeanIoU", &json!({ "num_classes": 2 }), &batch, &[1.0 / 3.0]);
    check("MeanIoU", &json!({ "num_classes": 2, "ignore_class": 1 }), &batch, &[0.25]);
    check("IoU", &json!({ "num_classes": 3, "target_class_ids": [2] }), &batch, &[0.0]);
}

#[test]
fn settings_that_keras_refuses_are_errors() {
    for (class_name, config, word) in [
        ("Precision", json!({ "thresholds": [0.5, 1.5] }), "thresholds"),
        ("AUC", json!({ "num_thresholds": 1 }), "num_thresholds"),
        ("AUC", json!({ "num_labels": 3 }), "num_labels"),
        ("AUC", json!({ "curve": "ROCK" }), "curve"),
        ("FBetaScore", json!({ "beta": 0.0 }), "beta"),
        ("FBetaScore", json!({ "average": "mean" }), "average"),
        ("IoU", json!({ "num_classes": 2, "target_class_ids": [2] }), "target_class_ids"),
        ("PrecisionAtRecall", json!({ "recall": 1.5 }), "recall"),
        ("R2Score", json!({ "num_regressors": -1 }), "num_regressors"),
        ("Recall", json!({ "top_n": 3 }), "top_n"),
    ] {
        match metrics::get(&record(class_name, &config), "a test") {
            Ok(_) => panic!("{class_name} takes {config}"),
            Err(error) => assert!(error.to_string().contains(word), "{error}"),
        }
    }
}

#[test]
fn a_loss_among_the_metrics_keeps_its_settings() {
    let mut model = Sequential::new([1])
        .add(Dense::new(1).use_bias(false).kernel_initializer("ones"))
        .build()
        .unwrap();
    let huber =
        json!({ "module": "keras.losses", "class_name": "Huber", "config": { "delta": 0.5 } });
    let hinge = json!({ "module": "keras.losses", "class_name": "Hinge" });
    model
        .compile(Compile::new("sgd").loss("mse").metrics(vec![huber, hinge, "AUC".into()]))
        .unwrap();
    let x = Tensor::new([2, 1], &[0.0f32, 1.0]).unwrap();
    let y = Tensor::new([2, 1], &[0.0f32, 0.0]).unwrap();
    let logs = model.evaluate(&Data::new(&[x], &[y]), &EvaluateOptions::on(Device::Host)).unwrap();
    let of = |name: &str| {
        let found = logs.iter().find(|(n, _)| n == name);
        found.and_then(|(_, value)| value.number()).unwrap_or_else(|| panic!("{logs:?}"))
    };
    assert!((of("huber_loss") - 0.1875).abs() < 1e-6, "{logs:?}");
    assert!((of("hinge") - 1.5).abs() < 1e-6, "{logs:?}");
    assert_eq!(of("AUC"), 0.0);
}

#[test]
fn a_metric_of_several_values_gives_an_array() {
    let identity = Dense::new(2).use_bias(false).kernel_initializer("identity");
    let mut model = Sequential::new([2]).add(identity).build().unwrap();
    model.compile(Compile::new("sgd").loss("mse").metrics(vec!["f1_score"])).unwrap();
    let x = Tensor::new([2, 2], &[0.0f32, 1.0, 0.0, 1.0]).unwrap();
    let data = Data::new(std::slice::from_ref(&x), std::slice::from_ref(&x));
    let logs = model.evaluate(&data, &EvaluateOptions::on(Device::Host)).unwrap();
    let Logged::Array(scores) = &logs[1].1 else { panic!("{logs:?}") };
    let scores: Vec<f64> = scores.iter_f64().collect();
    assert!(scores[0] == 0.0 && (scores[1] - 1.0).abs() < 1e-5, "{scores:?}");
}

#[test]
fn a_column_of_weights_meets_every_row_of_micro_averaged_scores() {
    let labels = Tensor::new([2, 2], &[1.0f32, 0.0, 0.0, 1.0]).unwrap();
    let predictions = Tensor::new([2, 2], &[0.9f32, 0.1, 0.8, 0.2]).unwrap();
    let weights = Tensor::new([2, 1], &[3.0f32, 1.0]).unwrap();
    let config = json!({ "average": "micro" });
    // With a weight for each sample it were 3 of 4.
    check("F1Score", &config, &[labels, predictions, weights], &[0.5]);
}
