//! What a device is asked for: nothing after the first run, and little more than values need.

mod common;

use keraunos::base::Spec;
use keraunos::base::shape::BINDING_ALIGNMENT;
use keraunos::gpu::Gpu;
use keraunos::layers::*;
use keraunos::optimizers::{Adam, LossScaleOptimizer};
use keraunos::program::{Options, pass::fuse, pass::memory};
use keraunos::runtime::Compiled;
use keraunos::trainers::{Compile, Data};
use keraunos::{DType, Device, Functional, Model, Sequential, Tensor};

/// Inverted residual blocks as in MobileNetV2: few channels between, many inside.
fn mobile() -> Model {
    let mut graph = Functional::new();
    let input = graph.input("image", [48, 48, 3]);
    let mut x = graph.call(Conv2D::new(16, 3).strides(2).padding("same"), &[&input]);
    for (channels, strides) in [(16, 1), (24, 2), (24, 1), (32, 2), (32, 1), (32, 1)] {
        let before = x.clone();
        let inner = graph.call(Conv2D::new(channels * 6, 1).use_bias(false), &[&x]);
        let inner = graph.call(BatchNormalization::new(), &[&inner]);
        let inner = graph.call(ReLU::new().max_value(6.0), &[&inner]);
        let depthwise = DepthwiseConv2D::new(3).strides(strides).padding("same");
        let inner = graph.call(depthwise, &[&inner]);
        let inner = graph.call(BatchNormalization::new(), &[&inner]);
        let inner = graph.call(ReLU::new().max_value(6.0), &[&inner]);
        x = graph.call(Conv2D::new(channels, 1).use_bias(false), &[&inner]);
        x = graph.call(BatchNormalization::new(), &[&x]);
        if strides == 1 {
            x = graph.call(Add::new(), &[&before, &x]);
        }
    }
    let x = graph.call(GlobalAveragePooling2D::new(), &[&x]);
    let y = graph.call(Dense::new(5).activation("softmax"), &[&x]);
    graph.build(&[&input], &[&y]).unwrap()
}

fn recurrent() -> Model {
    Sequential::new([12, 6])
        .add(LSTM::new(8).return_sequences(true))
        .add(LayerNormalization::new())
        .add(LSTM::new(8))
        .add(Dense::new(5).activation("softmax"))
        .build()
        .unwrap()
}

fn wave(shape: &[usize]) -> Tensor {
    let len: usize = shape.iter().product();
    let numbers: Vec<f32> = (0..len).map(|i| (i as f32 * 0.37).sin()).collect();
    Tensor::new(shape, &numbers).unwrap()
}

fn models() -> [(&'static str, Model, Vec<usize>); 2] {
    [("mobile", mobile(), vec![4, 48, 48, 3]), ("recurrent", recurrent(), vec![4, 12, 6])]
}

/// What a call asks the device for.
fn made(gpu: &Gpu, call: impl FnOnce()) -> u64 {
    let before = gpu.objects_made();
    call();
    gpu.objects_made() - before
}

#[test]
fn nothing_is_made_after_the_first_run() {
    let device = common::gpu();
    let Device::Gpu(gpu) = &device else { panic!("{device} is no adapter") };
    for (name, mut model, shape) in models() {
        let x = wave(&shape);
        let predict = |model: &Model| {
            model.call(std::slice::from_ref(&x), &device).unwrap();
        };
        assert!(made(gpu, || predict(&model)) > 0, "{name}: the counter does not count");
        for _ in 0..2 {
            assert_eq!(made(gpu, || predict(&model)), 0, "{name}: prediction");
        }
        let compile = Compile::new(Adam::new()).loss("sparse_categorical_crossentropy");
        model.compile(compile).unwrap();
        let labels = Tensor::new([4], &[0i32, 3, 1, 4]).unwrap();
        let batch = Data::new(std::slice::from_ref(&x), &[labels]);
        // The first step brings the state to the device, the second finds it there.
        let mut step = || drop(model.train_on_batch(&batch, &device).unwrap());
        assert!(made(gpu, &mut step) > 0, "{name}: the counter does not count");
        for _ in 0..2 {
            assert_eq!(made(gpu, &mut step), 0, "{name}: training");
        }
    }
}

/// Forward, loss, gradient, clipping, update, averages, moving statistics and metrics.
#[test]
fn a_step_of_training_is_one_submit() {
    let device = common::gpu();
    let Device::Gpu(gpu) = &device else { panic!("{device} is no adapter") };
    let optimizers = [
        Adam::new().set("global_clipnorm", 0.5).set("use_ema", true).set("weight_decay", 0.01),
        Adam::new().set("clipvalue", 0.1).set("gradient_accumulation_steps", 2),
        Adam::new().set("clipnorm", 0.1).set("use_ema", true).set("ema_overwrite_frequency", 2),
    ];
    for optimizer in optimizers {
        let mut model = Sequential::new([6])
            .add(Dense::new(8).activation("relu").kernel_regularizer("l2"))
            .add(BatchNormalization::new())
            .add(Dropout::new(0.2))
            .add(Dense::new(3).activation("softmax").kernel_constraint("unit_norm"))
            .build()
            .unwrap();
        let metrics = vec!["accuracy", "sparse_categorical_crossentropy"];
        let compile = Compile::new(LossScaleOptimizer::new(optimizer)).metrics(metrics);
        let compile = compile.loss("sparse_categorical_crossentropy");
        model.compile(compile.weighted_metrics(vec!["accuracy"])).unwrap();
        let labels = Tensor::new([4], &[0i32, 2, 1, 1]).unwrap();
        let batch = Data::new(&[wave(&[4, 6])], &[labels]);
        let batch = batch.with_sample_weight(&[wave(&[4])]);
        model.train_step(&batch, &device).unwrap();
        for step in 1..5 {
            let before = gpu.submits();
            model.train_step(&batch, &device).unwrap();
            assert_eq!(gpu.submits() - before, 1, "step {step}");
            gpu.wait().unwrap();
        }
    }
}

#[test]
fn scratch_is_little_more_than_the_values_that_live_together() {
    for (name, model, shape) in models() {
        for batch in [1, 4] {
            let mut shape = shape.clone();
            shape[0] = batch;
            let mut program = model.program(&[Spec::new(shape, DType::Float32)]).unwrap();
            program.optimize(&Options::default(), &mut |_, _| {}).unwrap();
            let summary = Compiled::describe(&program, &Options::default()).unwrap();
            let scratch: usize = summary.slots.iter().sum();
            // Values start where every device can bind them: a few bytes more for each.
            let padding = 4 * BINDING_ALIGNMENT;
            let most = summary.peak_live * 110 / 100 + padding;
            assert!(scratch <= most, "{name}, batch {batch}: {summary}");
            // Without the pass it would not be.
            let regions = fuse::run(&program, true).unwrap();
            let apart: usize = memory::run(&program, &regions, None).bytes.iter().sum();
            assert!(apart > scratch, "{name}: nothing is used again");
        }
    }
}
