//! Random graphs over the whole op set, for comparing executors.

use keraunos::base::{DType, Shape, Spec};
use keraunos::graph::ops::{Conv, ConvGeometry, ConvKind, Pool, PoolMode};
use keraunos::graph::{Graph, NodeId, Value};
use keraunos::program::Program;
use keraunos::tensor::{Tensor, Variable};
use std::sync::Arc;

/// A small deterministic generator of choices.
pub struct Rng(pub u64);

impl Rng {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n.max(1)
    }

    pub fn unit(&mut self) -> f32 {
        self.below(2001) as f32 / 1000.0 - 1.0
    }

    pub fn tensor(&mut self, shape: &Shape) -> Tensor {
        let elements: Vec<f32> = (0..shape.len()).map(|_| self.unit()).collect();
        Tensor::new(shape.clone(), &elements).unwrap()
    }
}

/// A program and inputs for it.
pub struct Sample {
    pub program: Program,
    pub inputs: Vec<Tensor>,
}

/// A graph of about `steps` operations on tensors of rank 1 to 5.
pub fn sample(seed: u64, steps: usize) -> Sample {
    let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let graph = Graph::new();
    let mut inputs = Vec::new();
    let mut values: Vec<NodeId> = Vec::new();
    for _ in 0..1 + rng.below(2) {
        let shape = random_shape(&mut rng);
        inputs.push(rng.tensor(&shape));
        values.push(graph.input(Spec::new(shape, DType::Float32)).id());
    }
    for i in 0..1 + rng.below(2) {
        let shape = random_shape(&mut rng);
        let variable = Variable::new(&format!("w{i}"), true, Arc::new(rng.tensor(&shape)));
        values.push(graph.read(&variable).id());
    }
    let mut made = Vec::new();
    for _ in 0..steps {
        let ids = values.clone();
        let pick = |rng: &mut Rng| {
            // Mostly recent values, so that chains grow.
            let i = if rng.below(3) > 0 {
                ids.len() - 1 - rng.below(ids.len().min(3))
            } else {
                rng.below(ids.len())
            };
            ids[i]
        };
        let x = graph.at(pick(&mut rng));
        let other = graph.at(pick(&mut rng));
        let y = step(&mut rng, x, other);
        if y.shape().len() <= 4096 {
            values.push(y.id());
            made.push(y.id());
        }
    }
    let mut outputs = vec![*made.last().unwrap_or(&values[0])];
    if made.len() > 3 {
        outputs.push(made[rng.below(made.len())]);
    }
    let trace = graph.finish().unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    Sample { program: Program::new(trace, &outputs), inputs }
}

fn random_shape(rng: &mut Rng) -> Shape {
    (0..1 + rng.below(4)).map(|_| [1, 2, 3, 4, 5, 7][rng.below(6)]).collect()
}

fn step<'g>(rng: &mut Rng, x: Value<'g>, other: Value<'g>) -> Value<'g> {
    let shape = x.shape();
    let rank = shape.rank();
    let axis = rng.below(rank.max(1));
    match rng.below(22) {
        0 => x.unary(["tanh", "sigmoid", "neg", "abs", "sin"][rng.below(5)]),
        1 => (x.abs() + 0.5).unary(["log", "sqrt", "rsqrt", "recip"][rng.below(4)]),
        2..=4 if shape.broadcast(&other.shape()).is_ok() => {
            x.binary(["add", "sub", "mul", "max", "min"][rng.below(5)], other)
        }
        5 => x * f64::from(rng.unit()) + f64::from(rng.unit()),
        6 => x * x.sigmoid(),
        7 => x.binary("gt", x.like(0.1)).select(x, x * 0.1),
        8 if rank > 1 => {
            let mut axes: Vec<usize> = (0..rank).collect();
            axes.rotate_left(1 + rng.below(rank - 1));
            x.transpose(&axes)
        }
        9 => x.reshape([shape.len()]),
        10 if rank > 1 => {
            let mut merged = shape.to_vec();
            let inner = merged.remove(axis.max(1));
            merged[axis.max(1) - 1] *= inner;
            x.reshape(merged)
        }
        11 if rank > 0 && rank < 4 => {
            let mut extents = vec![1 + rng.below(3)];
            extents.extend_from_slice(&shape);
            x.broadcast(extents)
        }
        12 if rank > 0 => {
            let start: Vec<usize> = shape.iter().map(|&d| rng.below(d)).collect();
            let size: Vec<usize> =
                shape.iter().zip(&start).map(|(d, s)| (d - s).div_ceil(2)).collect();
            x.slice(&start, &size, &vec![2; rank])
        }
        13 if rank > 0 => x.reverse(&[axis]),
        14 if rank > 0 => {
            let low: Vec<usize> = (0..rank).map(|_| rng.below(2)).collect();
            let high: Vec<usize> = (0..rank).map(|_| rng.below(2)).collect();
            x.pad_with(&low, &high, &vec![rng.below(2); rank], 0.5)
        }
        15 if rank > 0 => x.graph().concat(&[x, x * 2.0, x.reverse(&[axis])], axis),
        16 if rank > 0 => {
            let reduced =
                [x.sum(&[axis]), x.mean(&[axis]), x.max(&[axis]), x.min(&[axis])][rng.below(4)];
            reduced * 0.5 + 0.25
        }
        17 if rank > 0 => x.softmax(&[axis]),
        18 if rank > 0 => {
            let last = shape[rank - 1];
            let w = x.graph().constant(rng.tensor(&Shape::from([last, 3])));
            let y = x.dot(w) + x.graph().constant(rng.tensor(&Shape::from([3])));
            y.tanh()
        }
        19 if rank > 0 => {
            let picks: Vec<i32> = (0..4).map(|_| rng.below(shape[axis]) as i32).collect();
            x.gather(x.graph().constant(Tensor::new([2, 2], &picks).unwrap()), axis)
        }
        20 if rank > 0 => convolution(rng, x),
        21 if rank > 0 => pooling(rng, x),
        _ => x + 1.0,
    }
}

/// The value as one image of as many channels as its last axis has.
fn image(x: Value<'_>) -> Value<'_> {
    let shape = x.shape();
    let channels = shape[shape.rank() - 1];
    x.reshape([1, 1, 1, shape.len() / channels, channels])
}

fn convolution<'g>(rng: &mut Rng, x: Value<'g>) -> Value<'g> {
    let x = image(x);
    let (width, channels) = (x.shape()[3], x.shape()[4]);
    let (stride, dilation) = (1 + rng.below(2), 1 + rng.below(2));
    let depthwise = rng.below(3) == 0;
    let geometry = ConvGeometry {
        batch: 1,
        input: [1, 1, width],
        in_channels: channels,
        output: [1, 1, width.div_ceil(stride)],
        out_channels: if depthwise { channels } else { 5 },
        kernel: [1, 1, 3],
        stride: [1, 1, stride],
        dilation: [1, 1, dilation],
        pad: [0, 0, dilation],
        groups: if depthwise { channels } else { 1 },
    };
    let kernel = x.graph().constant(rng.tensor(&geometry.kernel_shape()));
    let y = x.graph().apply(Conv { geometry, kind: ConvKind::Forward }, &[x, kernel]);
    let scaled = y * 0.5 + x.graph().constant(rng.tensor(&Shape::from([geometry.out_channels])));
    scaled * scaled.sigmoid()
}

fn pooling<'g>(rng: &mut Rng, x: Value<'g>) -> Value<'g> {
    let x = image(x);
    let (width, channels) = (x.shape()[3], x.shape()[4]);
    let pool = Pool {
        mode: [PoolMode::Max, PoolMode::Average][rng.below(2)],
        batch: 1,
        input: [1, 1, width],
        channels,
        output: [1, 1, width.div_ceil(2)],
        window: [1, 1, 3],
        stride: [1, 1, 2],
        pad: [0, 0, 1],
    };
    x.graph().apply(pool, &[x]).tanh()
}
