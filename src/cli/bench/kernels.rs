//! Kernel families at fixed sizes, as the plan chooses and fuses them.

use std::time::Duration;

use crate::base::{DType, Result, Spec};
use crate::cli::bench::report::Measured;
use crate::graph::ops::{ConvGeometry, ConvKind, Pool, PoolMode};
use crate::graph::{Graph, Value};
use crate::program::{Options, Program};
use crate::runtime::{Compiled, Device, Rates, Times};
use crate::tensor::Tensor;

/// A formula of inputs of these shapes.
struct Family {
    name: &'static str,
    inputs: Vec<Spec>,
    formula: fn(&[Value<'_>]) -> usize,
}

/// Measures every family; times are those of the device's own clock.
pub fn measure(device: &Device, rates: Rates, span: Duration) -> Result<Vec<Measured>> {
    families().iter().map(|family| family.measure(device, rates, span)).collect()
}

impl Family {
    fn measure(&self, device: &Device, rates: Rates, span: Duration) -> Result<Measured> {
        let graph = Graph::new();
        let inputs: Vec<Value<'_>> = self.inputs.iter().map(|s| graph.input(s.clone())).collect();
        let output = (self.formula)(&inputs);
        let program = Program::new(graph.finish()?, &[output]);
        let plan = Compiled::new(program, device, &Options::default(), &mut |_, _| {})?;
        let inputs: Vec<Tensor> = self.inputs.iter().map(filled).collect::<Result<_>>()?;
        // Brings the inputs to the device, where runs that are timed find them.
        plan.run(&inputs)?;
        let mut seconds = Vec::new();
        Times::of(span, || {
            let regions = plan.run_timed(&inputs)?;
            seconds.push(regions.iter().map(|(_, time)| time.as_secs_f64()).sum());
            Ok(())
        })?;
        let costs = plan.summary().regions.iter().map(|region| region.cost);
        let least = costs.clone().map(|cost| rates.seconds(cost)).sum();
        Ok(Measured {
            name: self.name.into(),
            cold: None,
            times: Times::from(seconds.split_off(1)),
            processor: None,
            batch: 1,
            work: Some((costs.sum(), least)),
            memory: None,
        })
    }
}

fn filled(spec: &Spec) -> Result<Tensor> {
    let numbers: Vec<f32> = (0..spec.shape.len()).map(|i| (i % 61) as f32 * 0.1 - 3.0).collect();
    match spec.dtype {
        DType::Float32 => Tensor::new(spec.shape.clone(), &numbers),
        // Indices all over what is looked up.
        dtype => {
            let spread: Vec<i32> =
                (0..spec.shape.len()).map(|i| (i * 7919 % ROWS) as i32).collect();
            Ok(Tensor::new(spec.shape.clone(), &spread)?.cast(dtype))
        }
    }
}

/// Rows of the table that is looked up in.
const ROWS: usize = 50_000;

fn families() -> Vec<Family> {
    let mut all = contractions();
    all.extend(convolutions());
    all.extend(rows_and_elements());
    all
}

fn family(name: &'static str, shapes: &[&[usize]], formula: fn(&[Value<'_>]) -> usize) -> Family {
    let inputs = shapes.iter().map(|&shape| Spec::new(shape, DType::Float32)).collect();
    Family { name, inputs, formula }
}

fn contractions() -> Vec<Family> {
    vec![
        family("matmul 1024³", &[&[1, 1024, 1024], &[1, 1024, 1024]], |v| v[0].matmul(v[1]).id()),
        family("matmul 512³", &[&[1, 512, 512], &[1, 512, 512]], |v| v[0].matmul(v[1]).id()),
        family("matmul 12 × 128×64×128", &[&[12, 128, 64], &[12, 64, 128]], |v| {
            v[0].matmul(v[1]).id()
        }),
        family("matmul 1×2048×2048", &[&[1, 1, 2048], &[1, 2048, 2048]], |v| {
            v[0].matmul(v[1]).id()
        }),
        family("matmul 4096×1024×16", &[&[1, 4096, 1024], &[1, 1024, 16]], |v| {
            v[0].matmul(v[1]).id()
        }),
        family("attention 12 × 128×64", &[&[12, 128, 64], &[12, 128, 64], &[12, 128, 64]], |v| {
            let scores = (v[0] * 0.125).matmul_flags(v[1], false, true).softmax(&[2]);
            scores.matmul(v[2]).id()
        }),
    ]
}

/// A convolution of square images with padding `same`.
const fn square(
    size: usize,
    [inner, outer]: [usize; 2],
    kernel: usize,
    stride: usize,
    groups: usize,
) -> ConvGeometry {
    let output = size.div_ceil(stride);
    ConvGeometry {
        batch: 1,
        input: [1, size, size],
        in_channels: inner,
        output: [1, output, output],
        out_channels: outer,
        kernel: [1, kernel, kernel],
        stride: [1, stride, stride],
        dilation: [1; 3],
        pad: [0, (kernel - 1) / 2, (kernel - 1) / 2],
        groups,
    }
}

const MIDDLE: ConvGeometry = square(56, [64, 64], 3, 1, 1);
const FIRST: ConvGeometry = square(224, [3, 64], 7, 2, 1);
const POINT: ConvGeometry = square(28, [128, 512], 1, 1, 1);
const DEPTHWISE: ConvGeometry = square(112, [96, 96], 3, 1, 96);

const POOL: Pool = Pool {
    mode: PoolMode::Max,
    batch: 1,
    input: [1, 112, 112],
    channels: 64,
    output: [1, 56, 56],
    window: [1, 3, 3],
    stride: [1, 2, 2],
    pad: [0, 0, 0],
};

fn convolutions() -> Vec<Family> {
    let conv = |name, geometry: ConvGeometry, formula| Family {
        name,
        inputs: [geometry.x_shape(), geometry.kernel_shape()]
            .map(|shape| Spec::new(shape, DType::Float32))
            .to_vec(),
        formula,
    };
    let mut all = vec![
        conv("conv 3×3, 64 → 64, 56²", MIDDLE, |v| {
            v[0].conv(v[1], MIDDLE, ConvKind::Forward).id()
        }),
        conv("conv 7×7 / 2, 3 → 64, 224²", FIRST, |v| {
            v[0].conv(v[1], FIRST, ConvKind::Forward).id()
        }),
        conv("conv 1×1, 128 → 512, 28²", POINT, |v| {
            v[0].conv(v[1], POINT, ConvKind::Forward).id()
        }),
        conv("depthwise 3×3, 96, 112²", DEPTHWISE, |v| {
            v[0].conv(v[1], DEPTHWISE, ConvKind::Forward).id()
        }),
        // Input and output have one shape here.
        conv("conv 3×3, input gradient", MIDDLE, |v| {
            v[0].conv(v[1], MIDDLE, ConvKind::InputGrad).id()
        }),
    ];
    let images = [MIDDLE.x_shape(), MIDDLE.y_shape()];
    all.push(Family {
        name: "conv 3×3, filter gradient",
        inputs: images.map(|shape| Spec::new(shape, DType::Float32)).to_vec(),
        formula: |v| v[0].conv(v[1], MIDDLE, ConvKind::FilterGrad).id(),
    });
    all.push(family("max pool 3×3 / 2, 64, 112²", &[&[1, 1, 112, 112, 64]], |v| {
        v[0].pool(POOL).id()
    }));
    all
}

fn rows_and_elements() -> Vec<Family> {
    let mut all = vec![
        family("add, 8 M", &[&[8 << 20], &[8 << 20]], |v| (v[0] + v[1]).id()),
        family("gelu by tanh, 8 M", &[&[8 << 20]], |v| {
            let x = v[0];
            let cube = x * x * x * 0.044715;
            (x * 0.5 * (((x + cube) * 0.797_884_56).tanh() + 1.0)).id()
        }),
        family("sum of rows, 4096 × 1024", &[&[4096, 1024]], |v| v[0].sum(&[1]).id()),
        family("sum of columns, 4096 × 1024", &[&[4096, 1024]], |v| v[0].sum(&[0]).id()),
        family("softmax, 4096 × 1024", &[&[4096, 1024]], |v| v[0].softmax(&[1]).id()),
        family("layer norm, 4096 × 1024", &[&[4096, 1024], &[1024]], |v| {
            let shape = v[0].shape();
            let (mean, variance) = v[0].moments(&[1]);
            let [mean, variance] = [mean, variance].map(|m| m.keep_axes(&shape, &[1]));
            ((v[0] - mean) * (variance + 1e-3).rsqrt() * v[1]).id()
        }),
        family("transpose, 2048²", &[&[2048, 2048]], |v| v[0].transpose(&[1, 0]).id()),
        family("sort, 64 rows of 1024", &[&[64, 1024]], |v| v[0].argsort(1, false).id()),
    ];
    all.push(Family {
        name: "gather, 32768 rows of 128",
        inputs: vec![Spec::new([ROWS, 128], DType::Float32), Spec::new([32_768], DType::Int32)],
        formula: |v| v[0].gather(v[1], 0).id(),
    });
    all
}
