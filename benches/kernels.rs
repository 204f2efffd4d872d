//! Speed of the contraction kernels against the best rates measured on the same adapter in the same
//! run.
//!
//! ```text
//! cargo bench --bench kernels -- --device software
//! ```
//!
//! The probes come first: the arithmetic rate is the best of the matrix kernels on a large product,
//! the rate of memory that of a kernel that copies. The share of a line is that of whichever of the two
//! limits it: the time that the slower of its arithmetic and its traffic would take at the probes'
//! rates, in its own time. Traffic counts each operand once.

mod common;

use std::time::Duration;

use common::{Options, Times, describe};
use keraunos::DType;
use keraunos::base::{Error, Result};
use keraunos::gpu::{Buffer, Caps, Gpu, Recording, Step};
use keraunos::kernels::*;
use keraunos::program::region::{Body, Inst};
use keraunos::program::view::Space;
use keraunos::runtime::Device;

/// Time for each line.
const SPAN: Duration = Duration::from_secs(1);

/// Rows and columns of the product that shows the arithmetic rate.
const LARGE: usize = 1024;

/// Elements of the copy that shows the rate of memory.
const COPIED: usize = 16 << 20;

fn main() -> Result<()> {
    let options = Options::from_command_line();
    options.heading("kernels", "one kernel, from its submit to its end");
    for name in options.or("device", &["gpu"]) {
        let device = Device::open(name)?;
        let Device::Gpu(gpu) = &device else {
            return Err(Error::Invalid(format!("--device {name} has no kernels to measure")));
        };
        println!("{}", describe(&device));
        let bench = Bench::probe(gpu)?;
        bench.all()?;
    }
    Ok(())
}

/// An adapter and what it reaches at best, per second.
struct Bench<'a> {
    gpu: &'a Gpu,
    flops: f64,
    bytes: f64,
}

/// A kernel's problem: elements of its inputs and its output, and its arithmetic.
struct Work {
    inputs: Vec<usize>,
    output: usize,
    flops: f64,
}

impl Work {
    fn bytes(&self) -> f64 {
        (self.inputs.iter().sum::<usize>() + self.output) as f64 * 4.0
    }
}

type Launcher = fn(&MatMul, &Caps, &Epilogue) -> Result<Launch>;
type ConvLauncher = fn(&Conv, &Caps, &Epilogue) -> Result<Launch>;

impl Bench<'_> {
    fn probe(gpu: &Gpu) -> Result<Bench<'_>> {
        let (problem, work) = product(LARGE, LARGE, LARGE);
        let launchers: [Launcher; 2] = [matmul_block::launch, matmul_tile::launch];
        let mut least = f64::INFINITY;
        for launcher in launchers {
            let launch = launcher(&problem, gpu.caps(), &Epilogue::identity())?;
            least = least.min(time(gpu, launch, &work)?.least());
        }
        let copied = Work { inputs: vec![COPIED], output: COPIED, flops: 0.0 };
        let copy = time(gpu, copy(gpu.caps())?, &copied)?;
        let (flops, bytes) = (work.flops / least, copied.bytes() / copy.least());
        println!("best: {:.2} GFLOP/s, {:.2} GB/s", flops / 1e9, bytes / 1e9);
        Ok(Bench { gpu, flops, bytes })
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
        let flops = 2.0 * (y * kernel * kernel * inner / groups) as f64;
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
        let needed = (work.flops / self.flops).max(work.bytes() / self.bytes);
        let rate = work.flops / times.median() / 1e9;
        let share = 100.0 * needed / times.median();
        println!("{label:<50} {rate:>8.2} GFLOP/s {share:>4.0} % of the best  {times}");
        Ok(())
    }
}

fn product(m: usize, n: usize, k: usize) -> (MatMul, Work) {
    let (transpose_a, transpose_b) = (false, false);
    let problem =
        MatMul { batch: 1, m, n, k, a_batch: true, b_batch: true, transpose_a, transpose_b };
    let flops = 2.0 * (m * n * k) as f64;
    (problem, Work { inputs: vec![m * k, k * n], output: m * n, flops })
}

/// The kernel that a region of one load becomes.
fn copy(caps: &Caps) -> Result<Launch> {
    let space = Space::new(&[&[COPIED]]);
    let load = Inst::Load { operand: 0, dtype: DType::Float32, at: space.position(0..1) };
    let body = Body { space, operands: vec![0], code: vec![load] };
    map::launch(&body, COPIED, caps, &|_| DType::Float32).map(|(launch, _)| launch)
}

/// Times of one launch, each from its submit to its end. The run that is not counted compiles.
fn time(gpu: &Gpu, launch: Launch, work: &Work) -> Result<Times> {
    let mut buffers =
        work.inputs.iter().map(|&len| filled(gpu, len)).collect::<Result<Vec<_>>>()?;
    buffers.push(gpu.create_buffer(work.output as u64 * 4, "out")?);
    let recording = Recording::new(gpu, vec![Step { launch, buffers }])?;
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
