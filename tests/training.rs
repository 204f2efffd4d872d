//! Training: steps as programs, and the state between them.

mod common;

use keraunos::layers::{BatchNormalization, Dense};
use keraunos::optimizers::{Adam, LossScaleOptimizer, SGD};
use keraunos::trainers::{Compile, Data, EvaluateOptions, FitOptions, History};
use keraunos::{Device, Functional, Model, Sequential, Tensor, load_model};

const LOSS: &str = "sparse_categorical_crossentropy";

fn wave(rows: usize, columns: usize) -> Tensor {
    let values: Vec<f32> = (0..rows * columns).map(|i| (i as f32 * 0.37).sin()).collect();
    Tensor::new([rows, columns], &values).unwrap()
}

fn data() -> Data {
    let labels: Vec<i32> = (0..24).map(|i| (i * i) % 3).collect();
    Data::new(&[wave(24, 5)], &[Tensor::new([24], &labels).unwrap()])
}

fn model() -> Model {
    let mut model = Sequential::new([5])
        // A bias in front of a normalization has no gradient but rounding, which Adam blows up.
        .add(Dense::new(7).use_bias(false).kernel_initializer("ones"))
        .add(BatchNormalization::new())
        .add(Dense::new(3).activation("softmax").kernel_initializer("zeros"))
        .build()
        .unwrap();
    let compile = Compile::new(Adam::new().learning_rate(0.05));
    let compile = compile.loss(LOSS).metrics(vec!["accuracy"]);
    model.compile(compile).unwrap();
    model
}

fn fit(model: &mut Model, device: &Device, epochs: std::ops::Range<usize>) -> History {
    let mut options = FitOptions {
        batch_size: Some(7),
        epochs: epochs.end,
        initial_epoch: epochs.start,
        ..FitOptions::on(device.clone())
    };
    model.fit(&data(), &mut options).unwrap()
}

fn values(model: &Model) -> Vec<Tensor> {
    let variables = model.variables();
    let optimizer = model.optimizer().unwrap().variables();
    let all = variables.into_iter().map(|(_, v)| v).chain(optimizer);
    all.map(|v| v.value().unwrap()).collect()
}

#[test]
fn the_loss_falls_and_a_resumed_training_goes_on_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.keras");
    let mut whole = model();
    let history = fit(&mut whole, &Device::Host, 0..6);
    let losses = history.get("loss").unwrap();
    assert!(losses[5] < losses[0] * 0.9, "{losses:?}");

    let mut first = model();
    fit(&mut first, &Device::Host, 0..3);
    first.save(&path).unwrap();
    let mut second = load_model(&path).unwrap();
    let rest = fit(&mut second, &Device::Host, 3..6);
    assert_eq!(rest.get("loss").unwrap(), &losses[3..]);
    assert_eq!(values(&second), values(&whole));
}

#[test]
fn a_gpu_trains_as_the_host_does() {
    let gpu = common::gpu();
    let (mut here, mut there) = (model(), model());
    let (host, device) = (fit(&mut here, &Device::Host, 0..3), fit(&mut there, &gpu, 0..3));
    for (a, b) in host.get("loss").unwrap().iter().zip(device.get("loss").unwrap()) {
        assert!((a - b).abs() < 1e-4 * a.abs(), "{a} and {b}");
    }
    let options = EvaluateOptions::on(gpu);
    let found = there.evaluate(&data(), &options).unwrap();
    let expected = here.evaluate(&data(), &EvaluateOptions::on(Device::Host)).unwrap();
    assert!((found[0].1.mean() - expected[0].1.mean()).abs() < 1e-4, "{found:?} {expected:?}");
}

#[test]
fn frozen_layers_stay_and_constraints_hold() {
    let mut model = Sequential::new([5])
        .add(Dense::new(4).trainable(false).name("frozen").kernel_initializer("ones"))
        .add(BatchNormalization::new().trainable(false))
        .add(Dense::new(1).kernel_constraint("non_neg").kernel_initializer("ones"))
        .build()
        .unwrap();
    model.compile(Compile::new(SGD::new().learning_rate(0.5)).loss("mse")).unwrap();
    let before = values(&model);
    let batch = Data::new(&[wave(8, 5)], &[wave(8, 1)]);
    for _ in 0..5 {
        model.train_on_batch(&batch, &Device::Host).unwrap();
    }
    let after = values(&model);
    // Kernel and bias of the frozen layer, and all four of the normalization.
    assert_eq!(before[..6], after[..6]);
    assert_ne!(before[6], after[6]);
    assert!(after[6].iter_f64().all(|w| w >= 0.0), "{:?}", after[6]);
}

#[test]
fn what_was_not_trained_is_saved_as_it_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a.keras"), folder.path().join("b.keras"));
    let mut model = model();
    fit(&mut model, &Device::Host, 0..1);
    model.save(&a).unwrap();
    load_model(&a).unwrap().save(&b).unwrap();
    assert_eq!(std::fs::read(a).unwrap(), std::fs::read(b).unwrap());
}

#[test]
fn weights_of_classes_are_for_training_only() {
    let fit = |class_weight: Vec<(i64, f64)>| {
        let mut options = FitOptions {
            batch_size: Some(7),
            shuffle: false,
            class_weight,
            validation_split: 0.5,
            ..FitOptions::on(Device::Host)
        };
        let mut model = model();
        // Nothing is learned, so that only the weights tell two trainings apart.
        model.compile(Compile::new(SGD::new().learning_rate(0.0)).loss(LOSS)).unwrap();
        model.fit(&data(), &mut options).unwrap()
    };
    let (plain, weighted) = (fit(vec![]), fit(vec![(0, 3.0), (1, 2.0)]));
    assert_ne!(plain.get("loss"), weighted.get("loss"));
    assert_eq!(plain.get("val_loss"), weighted.get("val_loss"));
}

/// One step on the batch (1, 3) with momenta of a half: mean 2, variance 1, deviation √(1 + 3) = 2.
#[test]
fn statistics_of_batch_renormalization_are_the_paper_s() {
    let norm = BatchNormalization::new().renorm(true).momentum(0.5).renorm_momentum(0.75);
    let norm = norm.epsilon(3.0).moving_variance_initializer("zeros").trainable(true);
    let mut model = Sequential::new([1]).add(norm).build().unwrap();
    model.compile(Compile::new(SGD::new().learning_rate(0.0)).loss("mse")).unwrap();
    let x = Tensor::new([2, 1], &[1.0f32, 3.0]).unwrap();
    let loss = model
        .train_on_batch(
            &Data::new(std::slice::from_ref(&x), std::slice::from_ref(&x)),
            &Device::Host,
        )
        .unwrap();
    // With r = 2 / √3 and d = 2 / √3 the outputs are (±1 / 2) · r + d.
    let d = 2.0 / 3f64.sqrt();
    let expected = ((0.5 * d - 1.0).powi(2) + (1.5 * d - 3.0).powi(2)) / 2.0;
    assert!((loss[0].1.mean() - expected).abs() < 1e-6, "{loss:?} {expected}");
    let found: Vec<f64> = values(&model).iter().map(|v| v.iter_f64().next().unwrap()).collect();
    // gamma, beta, moving mean, moving variance 1² − 3 cut at 0, moving deviation, and the correction's.
    let expected = [1.0, 0.0, 1.0, 0.0, 1.0, 0.5, 0.5];
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
}

/// The iteration, the good steps since the scale changed, and the scale of a `LossScaleOptimizer`.
fn scaling(model: &Model) -> [f64; 3] {
    let all = model.optimizer().unwrap().variables();
    let of = |name: &str| {
        let variable = all.iter().rev().find(|v| v.name() == name);
        variable.unwrap().value().unwrap().iter_f64().next().unwrap()
    };
    ["iteration", "step_counter", "dynamic_scale"].map(of)
}

#[test]
fn steps_without_finite_gradients_are_left_out_and_good_ones_raise_the_scale() {
    let optimizer = LossScaleOptimizer::new(SGD::new().learning_rate(0.01));
    let optimizer = optimizer.initial_scale(64.0).dynamic_growth_steps(3);
    let mut model = Sequential::new([5]).add(Dense::new(1)).build().unwrap();
    model.compile(Compile::new(optimizer).loss("mse")).unwrap();
    let batch = |x: f32| Data::new(&[Tensor::new([1, 5], &[x; 5]).unwrap()], &[wave(1, 1)]);
    let mut seen = Vec::new();
    for x in [0.5, 0.5, f32::INFINITY, f32::NAN, 0.5, 0.5, 0.5, 0.5] {
        let before = values(&model);
        model.train_step(&batch(x), &Device::Host).unwrap();
        assert_eq!(before[..2] == values(&model)[..2], !x.is_finite(), "{x}");
        seen.push(scaling(&model));
    }
    assert_eq!(
        seen,
        [
            [1.0, 1.0, 64.0],
            [2.0, 2.0, 64.0],
            [2.0, 0.0, 32.0],
            [2.0, 0.0, 16.0],
            [3.0, 1.0, 16.0],
            [4.0, 2.0, 16.0],
            [5.0, 0.0, 32.0],
            [6.0, 1.0, 32.0],
        ]
    );
}

#[test]
fn the_loss_of_mixed_float16_is_scaled() {
    let compiled = |policy: &str, scales: bool| {
        let mut model = Sequential::new([5]).add(Dense::new(1).dtype(policy)).build().unwrap();
        let compile = Compile::new("sgd").loss("mse").auto_scale_loss(scales);
        model.compile(compile).unwrap();
        model
    };
    let class = |model: &Model| model.optimizer().unwrap().class_name();
    assert_eq!(class(&compiled("mixed_bfloat16", true)), "SGD");
    assert_eq!(class(&compiled("mixed_float16", false)), "SGD");
    let mut model = compiled("mixed_float16", true);
    assert_eq!(class(&model), "LossScaleOptimizer");
    // The gradients of this error leave float16's range, scaled by 32768.
    let batch = Data::new(&[wave(4, 5)], &[Tensor::new([4, 1], &[2f32; 4]).unwrap()]);
    for _ in 0..4 {
        model.train_step(&batch, &Device::Host).unwrap();
    }
    let state = scaling(&model);
    assert!(state[2] < 32768.0 && state[0] > 0.0, "{state:?}");
    // `compile_config` does not tell of the scaling, as in Keras; the optimizer's state does.
    let folder = tempfile::tempdir().unwrap();
    model.save(folder.path().join("m.keras")).unwrap();
    let again = load_model(folder.path().join("m.keras")).unwrap();
    assert_eq!(values(&again), values(&model));
}

#[test]
fn weights_left_out_of_weight_decay_do_not_decay() {
    let trained = |names: &[&str]| {
        let layer = Dense::new(1).kernel_initializer("ones").bias_initializer("ones");
        let mut model = Sequential::new([5]).add(layer).build().unwrap();
        let decaying = SGD::new().learning_rate(0.5).set("weight_decay", 0.5);
        let compile = Compile::new(decaying).loss("mse");
        model.compile(compile.exclude_from_weight_decay(names.to_vec())).unwrap();
        // What is expected is what is predicted: nothing but decay changes the weights.
        let x = Tensor::new([1, 5], &[0f32; 5]).unwrap();
        let y = Tensor::new([1, 1], &[1f32]).unwrap();
        model.train_step(&Data::new(&[x], &[y]), &Device::Host).unwrap();
        let first = |v: Tensor| v.iter_f64().next().unwrap();
        model.variables().into_iter().map(|(_, v)| first(v.value().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(trained(&[]), [0.75, 0.75]);
    assert_eq!(trained(&["bias"]), [0.75, 1.0]);
    assert_eq!(trained(&["gamma", "^ker"]), [1.0, 0.75]);
}

#[test]
fn a_loaded_low_rank_adaptation_keeps_its_weight() {
    let layer = Dense::new(2).lora_rank(1).kernel_initializer("ones");
    let mut model = Sequential::new([5]).add(layer).build().unwrap();
    let compile = || Compile::new(Adam::new().learning_rate(0.1)).loss("mse");
    model.compile(compile()).unwrap();
    let batch = Data::new(&[wave(4, 5)], &[wave(4, 2)]);
    // Of a new layer, Keras trains the second factor.
    let error = model.train_step(&batch, &Device::Host).unwrap_err().to_string();
    assert!(error.contains("lora_kernel_a"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    model.save(folder.path().join("m.keras")).unwrap();
    let mut model = load_model(folder.path().join("m.keras")).unwrap();
    let before = values(&model);
    model.train_step(&batch, &Device::Host).unwrap();
    let after = values(&model);
    assert_eq!(before[0], after[0]);
    assert_ne!(before[1], after[1]);
    // Kernel and bias; iteration and rate; two slots each for the bias and both factors.
    assert_eq!(after.len(), 2 + 2 + 6);
}

#[test]
fn weights_on_which_the_loss_does_not_depend_are_told_by_name() {
    let mut graph = Functional::new();
    let x = graph.input("x", [5]);
    let a = graph.call(Dense::new(3).name("a"), &[&x]);
    let b = graph.call(Dense::new(2).name("b"), &[&x]);
    let mut model = graph.build(&[&x], &[&a, &b]).unwrap();
    let losses: serde_json::Value = serde_json::json!(["mse", null]);
    model.compile(Compile::new("sgd").loss(losses)).unwrap();
    let data = Data::new(&[wave(4, 5)], &[wave(4, 3), wave(4, 2)]);
    let kernels = |model: &Model| values(model)[..4].to_vec();
    let before = kernels(&model);
    model.fit(&data, &mut FitOptions::on(Device::Host)).unwrap();
    let after = kernels(&model);
    assert_eq!(model.weights_without_gradient(), ["b/kernel", "b/bias"]);
    assert!(before[0] != after[0] && before[2] == after[2] && before[3] == after[3]);
}
