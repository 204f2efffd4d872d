//! A step of training of the small convolutional network of `workloads.py`.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams};
use burn::prelude::*;
use burn::tensor::activation;

use crate::{Run, Setting, data, read};

#[derive(Module, Debug)]
struct Cnn {
    convs: [Conv2d; 2],
    pool: MaxPool2d,
    dense: Linear,
}

impl Cnn {
    fn new(device: &Device) -> Cnn {
        let conv = |channels| Conv2dConfig::new(channels, [3, 3]).init(device);
        Cnn {
            convs: [conv([1, 32]), conv([32, 64])],
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            dense: LinearConfig::new(1600, 10).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let stage = |x, conv: &Conv2d| self.pool.forward(activation::relu(conv.forward(x)));
        let x = stage(stage(x, &self.convs[0]), &self.convs[1]);
        self.dense.forward(x.flatten(1, 3))
    }
}

/// Forward, backward and Adam; the loss is read.
pub fn cnn(setting: &Setting) -> Run {
    let device = setting.device.clone().autodiff();
    let batch = setting.batch;
    let x = data([batch, 1, 28, 28]);
    let labels: Vec<i32> = (0..batch).map(|i| (i % 10) as i32).collect();
    let labels = TensorData::new(labels, [batch]);
    let loss = CrossEntropyLossConfig::new().init(&device);
    let mut optimizer = AdamConfig::new().init();
    let mut model = Some(Cnn::new(&device));
    Box::new(move || {
        let Some(current) = model.take() else { return };
        let x = Tensor::<4>::from_data(x.clone(), &device);
        let labels = Tensor::<1, Int>::from_data(labels.clone(), &device);
        let loss = loss.forward(current.forward(x), labels);
        let gradients = GradientsParams::from_grads(loss.backward(), &current);
        model = Some(optimizer.step(1e-3, current, gradients));
        read(loss);
    })
}
