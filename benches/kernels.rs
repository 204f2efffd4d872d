//! Speed of the contraction kernels against the best rates measured on the same adapter in the same
//! run.
//!
//! ```text
//! cargo bench --bench kernels -- --device software
//! ```
//!
//! What the device reaches at best is measured first ([`Rates`](keraunos::runtime::Rates)). The share
//! of a line is that of whichever of the two limits it: the time that the slower of its arithmetic and
//! its traffic would take at those rates, in its own time. Traffic counts each operand once; a share
//! above 100 % is of operands that stay in a cache. `keraunos bench --kernels` measures what the plan
//! chooses, on any device; here each variant is measured.

mod common;

use std::time::Duration;

use common::{Options, Times, describe};
use keraunos::base::{Error, Result};
use keraunos::gpu::{self, Buffer, Caps, Gpu, Recording, Step};
use keraunos::kernels::*;
use keraunos::program::Cost;
use keraunos::runtime::{Device, Rates};

/// Time for each line.
const SPAN: Duration = Duration::from_secs(1);

/// Rows and columns of a large product.
const LARGE: usize = 1024;

fn main() -> Result<()> {
    let options = Options::from_command_line();
    options.heading("kernels", "one kernel, from its submit to its end");
    for name in options.or("device", &["gpu"]) {
        let device = Device::open(name)?;
        let Device::Gpu(gpu) = &device else {
            return Err(Error::Invalid(format!("--device {name} has no kernels to measure")));
        };
        println!("{}", describe(&device));
        let bench = Bench::probe(&device, gpu)?;
        bench.all()?;
    }
    Ok(())
}

/// An adapter and what it reaches at best.
struct Bench<'a> {
    gpu: &'a Gpu,
    rates: Rates,
}

/// A kernel's problem: elements of its inputs and its output, and its arithmetic.
struct Work {
    inputs: Vec<usize>,
    output: usize,
    flops: u64,
}

impl Work {
    fn cost(&self) -> Cost {
        let elements = self.inputs.iter().sum::<usize>() + self.output;
        Cost { flops: self.flops, bytes: elements as u64 * 4 }
    }
}

type Launcher = fn(&MatMul, &Caps, &Epilogue) -> Result<Launch>;
type ConvLauncher = fn(&Conv, &Caps, &Epilogue) -> Result<Launch>;

impl<'a> Bench<'a> {
    fn probe(device: &'a Device, gpu: &'a Gpu) -> Result<Bench<'a>> {
        let rates = Rates::measure(device)?;
        println!("best: {:.2} GFLOP/s, {:.2} GB/s", rates.flops / 1e9, rates.bytes / 1e9);
        Ok(Bench { gpu, rates })
    }

    fn all(&self) -> Result<()> {
        for (m, n, k) in [(512, 512, 512), (LARGE, LARGE, LARGE), (1, 1024, 1024), (1000, 10, 784)]
        {
            self.matmul(m, n, k)?;
        }
        for (size, channels, kernel, stride, groups) in
            [(56, [64, 64], 3, 1, 1), (224, [3, 64], 7, 2, 1), (28, [128, 128], 3, 1, 128)]
        {
            self.conv(size, channels, kernel, stride, groups)?;
        }
        Ok(())
    }

    fn matmul(&self, m: usize, n: usize, k: usize) -> Result<()> {
        let (problem, work) = product(m, n, k);
        let launchers: [Launcher; 3] =
            [matmul_block::launch, matmul_tile::launch, matmul_vec::launch];
        for launcher in launchers.into_iter().take(if m <= 4 { 3 } else { 2 }) {
            self.line(launcher(&problem, self.gpu.caps(), &Epilogue::identity())?, &work)?;
        }
        Ok(())
    }

    /// A convolution with "same" padding and its two gradients.
    fn conv(
        &self,
        size: usize,
        [inner, outer]: [usize; 2],
        kernel: usize,
        stride: usize,
        groups: usize,
    ) -> Result<()> {
        let output = size.div_ceil(stride);
        let problem = Conv {
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
            kind: ConvKind::Forward,
        };
        let x = size * size * inner;
        let y = output * output * outer;
        let w = kernel * kernel * inner / groups * outer;
        let flops = 2 * (y * kernel * kernel * inner / groups) as u64;
        let work = |a, b, output| Work { inputs: vec![a, b], output, flops };
        let launch = |launcher: ConvLauncher, kind| {
            launcher(&Conv { kind, ..problem }, self.gpu.caps(), &Epilogue::identity())
        };
        self.line(launch(choose_conv, ConvKind::Forward)?, &work(x, w, y))?;
        self.line(launch(conv_gemm::launch, ConvKind::Forward)?, &work(x, w, y))?;
        self.line(launch(choose_conv, ConvKind::InputGrad)?, &work(y, w, x))?;
        self.line(launch(choose_conv, ConvKind::FilterGrad)?, &work(x, y, w))
    }

    fn line(&self, launch: Launch, work: &Work) -> Result<()> {
        let label = launch.label.clone();
        let times = time(self.gpu, launch, work)?;
        let needed = self.rates.seconds(work.cost());
        let rate = work.flops as f64 / times.median() / 1e9;
        let share = 100.0 * needed / times.median();
        println!("{label:<50} {rate:>8.2} GFLOP/s {share:>4.0} % of the best  {times}");
        Ok(())
    }
}

fn product(m: usize, n: usize, k: usize) -> (MatMul, Work) {
    let (transpose_a, transpose_b) = (false, false);
    let problem = MatMul {
        batch: 1,
        m,
        n,
        k,
        a_batch: true,
        b_batch: true,
        transpose_a,
        transpose_b,
        halves: false,
    };
    let flops = 2 * (m * n * k) as u64;
    (problem, Work { inputs: vec![m * k, k * n], output: m * n, flops })
}

/// Times of one launch, each from its submit to its end. The run that is not counted compiles.
fn time(gpu: &Gpu, launch: Launch, work: &Work) -> Result<Times> {
    let mut buffers =
        work.inputs.iter().map(|&len| filled(gpu, len)).collect::<Result<Vec<_>>>()?;
    buffers.push(gpu.create_buffer(work.output as u64 * 4, "out")?);
    let recording = Recording::new(gpu, vec![gpu::Work::Step(Step { launch, buffers })])?;
    Times::of(SPAN, || {
        recording.run()?;
        gpu.wait()
    })
}

fn filled(gpu: &Gpu, len: usize) -> Result<Buffer> {
    let buffer = gpu.create_buffer(len as u64 * 4, "in")?;
    let words: Vec<f32> = (0..len).map(|i| (i % 17) as f32 * 0.1 - 0.8).collect();
    gpu.upload_words(bytemuck::cast_slice(&words), &buffer)?;
    Ok(buffer)
}
