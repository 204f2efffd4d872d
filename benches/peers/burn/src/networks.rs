//! Whole networks, as Keras's applications build them, channels first.

use burn::nn::attention::{MhaInput, MultiHeadAttention, MultiHeadAttentionConfig};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear,
    LinearConfig, PaddingConfig2d,
};
use burn::prelude::*;
use burn::tensor::activation;

use crate::{Run, Setting, data, read, same};

pub fn workload(name: &str, setting: &Setting) -> Option<Run> {
    let device = &setting.device;
    match name {
        "resnet50" => {
            let network = ResNet50::new(device);
            Some(images(setting, move |x| network.forward(x)))
        }
        "mobilenet_v2" => {
            let network = MobileNetV2::new(device);
            Some(images(setting, move |x| network.forward(x)))
        }
        "encoder" => Some(encoder(setting)),
        _ => None,
    }
}

fn images(setting: &Setting, forward: impl Fn(Tensor<4>) -> Tensor<2> + 'static) -> Run {
    let (device, x) = (setting.device.clone(), data([setting.batch, 3, 224, 224]));
    Box::new(move || {
        read(forward(Tensor::<4>::from_data(x.clone(), &device)));
    })
}

/// A convolution without bias, padded as `same`; all sizes with strides are even here.
pub fn convolution(
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
    groups: usize,
    device: &Device,
) -> Conv2d {
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_groups(groups)
        .with_padding(same(kernel, stride, true))
        .with_bias(false)
        .init(device)
}

/// A convolution and what normalises it.
struct Normal {
    conv: Conv2d,
    norm: BatchNorm,
}

impl Normal {
    fn new(
        channels: [usize; 2],
        kernel: usize,
        stride: usize,
        groups: usize,
        d: &Device,
    ) -> Normal {
        let conv = convolution(channels, kernel, stride, groups, d);
        Normal { conv, norm: BatchNormConfig::new(channels[1]).init(d) }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(x))
    }
}

/// Mean over the image, then classes.
fn classes(x: Tensor<4>, dense: &Linear) -> Tensor<2> {
    let [batch, channels, ..] = x.dims();
    let mean = x.reshape([batch, channels, 49]).mean_dim(2).reshape([batch, channels]);
    activation::softmax(dense.forward(mean), 1)
}

struct Bottleneck {
    shortcut: Option<Normal>,
    path: [Normal; 3],
}

struct ResNet50 {
    first: Normal,
    pool: MaxPool2d,
    blocks: Vec<Bottleneck>,
    dense: Linear,
}

impl ResNet50 {
    fn new(device: &Device) -> ResNet50 {
        let mut blocks = Vec::new();
        let mut inner = 64;
        for (filters, count, stride) in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)] {
            for block in 0..count {
                let stride = if block == 0 { stride } else { 1 };
                let outer = 4 * filters;
                let shortcut =
                    (block == 0).then(|| Normal::new([inner, outer], 1, stride, 1, device));
                let path = [
                    Normal::new([inner, filters], 1, stride, 1, device),
                    Normal::new([filters, filters], 3, 1, 1, device),
                    Normal::new([filters, outer], 1, 1, 1, device),
                ];
                blocks.push(Bottleneck { shortcut, path });
                inner = outer;
            }
        }
        let pool = MaxPool2dConfig::new([3, 3])
            .with_strides([2, 2])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .init();
        let dense = LinearConfig::new(2048, 1000).init(device);
        ResNet50 { first: Normal::new([3, 64], 7, 2, 1, device), pool, blocks, dense }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let mut x = self.pool.forward(activation::relu(self.first.forward(x)));
        for block in &self.blocks {
            let shortcut = match &block.shortcut {
                Some(layer) => layer.forward(x.clone()),
                None => x.clone(),
            };
            let [first, second, third] = &block.path;
            let y = activation::relu(first.forward(x));
            let y = activation::relu(second.forward(y));
            x = activation::relu(third.forward(y) + shortcut);
        }
        classes(x, &self.dense)
    }
}

struct Inverted {
    expand: Option<Normal>,
    depthwise: Normal,
    project: Normal,
    adds: bool,
}

struct MobileNetV2 {
    first: Normal,
    blocks: Vec<Inverted>,
    last: Normal,
    dense: Linear,
}

impl MobileNetV2 {
    fn new(device: &Device) -> MobileNetV2 {
        let stages = [
            (1, 16, 1, 1),
            (6, 24, 2, 2),
            (6, 32, 3, 2),
            (6, 64, 4, 2),
            (6, 96, 3, 1),
            (6, 160, 3, 2),
            (6, 320, 1, 1),
        ];
        let (mut blocks, mut inner) = (Vec::new(), 32);
        for (factor, outer, count, stride) in stages {
            for block in 0..count {
                let (stride, wide) = (if block == 0 { stride } else { 1 }, inner * factor);
                blocks.push(Inverted {
                    expand: (factor > 1).then(|| Normal::new([inner, wide], 1, 1, 1, device)),
                    depthwise: Normal::new([wide, wide], 3, stride, wide, device),
                    project: Normal::new([wide, outer], 1, 1, 1, device),
                    adds: stride == 1 && inner == outer,
                });
                inner = outer;
            }
        }
        MobileNetV2 {
            first: Normal::new([3, 32], 3, 2, 1, device),
            blocks,
            last: Normal::new([320, 1280], 1, 1, 1, device),
            dense: LinearConfig::new(1280, 1000).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let relu6 = |x: Tensor<4>| x.clamp(0.0, 6.0);
        let mut x = relu6(self.first.forward(x));
        for block in &self.blocks {
            let y = match &block.expand {
                Some(layer) => relu6(layer.forward(x.clone())),
                None => x.clone(),
            };
            let y = block.project.forward(relu6(block.depthwise.forward(y)));
            x = if block.adds { x + y } else { y };
        }
        classes(relu6(self.last.forward(x)), &self.dense)
    }
}

/// A layer of the encoder of `workloads.py`.
struct Layer {
    attention: MultiHeadAttention,
    norms: [LayerNorm; 2],
    dense: [Linear; 2],
}

impl Layer {
    fn new(width: usize, heads: usize, device: &Device) -> Layer {
        let norm = || LayerNormConfig::new(width).init(device);
        Layer {
            attention: MultiHeadAttentionConfig::new(width, heads).with_dropout(0.0).init(device),
            norms: [norm(), norm()],
            dense: [
                LinearConfig::new(width, 4 * width).init(device),
                LinearConfig::new(4 * width, width).init(device),
            ],
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let input = MhaInput::new(x.clone(), x.clone(), x.clone());
        let x = self.norms[0].forward(x + self.attention.forward(input).context);
        let hidden = activation::gelu(self.dense[0].forward(x.clone()));
        self.norms[1].forward(x + self.dense[1].forward(hidden))
    }
}

fn encoder(setting: &Setting) -> Run {
    const SEQUENCE: usize = 128;
    const WIDTH: usize = 768;
    const VOCABULARY: usize = 30_522;
    let device = setting.device.clone();
    let embedding: Embedding = EmbeddingConfig::new(VOCABULARY, WIDTH).init(&device);
    let norm = LayerNormConfig::new(WIDTH).init(&device);
    let layers: Vec<Layer> = (0..12).map(|_| Layer::new(WIDTH, 12, &device)).collect();
    let tokens: Vec<i32> =
        (0..setting.batch * SEQUENCE).map(|i| (i * 7919 % VOCABULARY) as i32).collect();
    let tokens = TensorData::new(tokens, [setting.batch, SEQUENCE]);
    Box::new(move || {
        let tokens = Tensor::<2, Int>::from_data(tokens.clone(), &device);
        let x = norm.forward(embedding.forward(tokens));
        read(layers.iter().fold(x, |x, layer| layer.forward(x)));
    })
}
