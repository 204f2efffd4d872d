//! Speed of the contraction kernels on the adapter of this machine: `cargo bench --bench kernels`.
//!
//! Prints the best of several runs; `KERAUNOS_ADAPTER` chooses an adapter by part of its name.

use std::time::{Duration, Instant};

use keraunos::base::Result;
use keraunos::gpu::{Buffer, Caps, Choice, Gpu, Recording, Step};
use keraunos::kernels::*;

fn main() -> Result<()> {
    let choice = std::env::var("KERAUNOS_ADAPTER").map_or(Choice::AnyGpu, Choice::Named);
    let gpu = Gpu::open(&choice)?;
    println!("{gpu:?}");
    for (m, n, k) in [(512, 512, 512), (1024, 1024, 1024), (1, 1024, 1024), (1000, 10, 784)] {
        matmul(&gpu, m, n, k)?;
    }
    for (size, channels, kernel, stride, groups) in
        [(56, [64, 64], 3, 1, 1), (224, [3, 64], 7, 2, 1), (28, [128, 128], 3, 1, 128)]
    {
        conv(&gpu, size, channels, kernel, stride, groups)?;
    }
    Ok(())
}

type Launcher = fn(&MatMul, &Caps, &Epilogue) -> Result<Launch>;
type ConvLauncher = fn(&Conv, &Caps, &Epilogue) -> Result<Launch>;

fn matmul(gpu: &Gpu, m: usize, n: usize, k: usize) -> Result<()> {
    let (transpose_a, transpose_b) = (false, false);
    let problem =
        MatMul { batch: 1, m, n, k, a_batch: true, b_batch: true, transpose_a, transpose_b };
    let launchers: [Launcher; 3] = [matmul_block::launch, matmul_tile::launch, matmul_vec::launch];
    for launcher in launchers.into_iter().take(if m <= 4 { 3 } else { 2 }) {
        let launch = launcher(&problem, gpu.caps(), &Epilogue::identity())?;
        measure(gpu, launch, &[m * k, k * n], m * n, 2.0 * (m * n * k) as f64)?;
    }
    Ok(())
}

/// A convolution with "same" padding and its two gradients.
fn conv(
    gpu: &Gpu,
    size: usize,
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
    groups: usize,
) -> Result<()> {
    let output = size.div_ceil(stride);
    let [inner, outer] = channels;
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
    let launchers: [ConvLauncher; 2] = [choose_conv, conv_gemm::launch];
    for launcher in launchers {
        let launch = launcher(&problem, gpu.caps(), &Epilogue::identity())?;
        measure(gpu, launch, &[x, w], y, flops)?;
    }
    let input_grad = Conv { kind: ConvKind::InputGrad, ..problem };
    measure(gpu, choose_conv(&input_grad, gpu.caps(), &Epilogue::identity())?, &[y, w], x, flops)?;
    let filter_grad = Conv { kind: ConvKind::FilterGrad, ..problem };
    measure(gpu, choose_conv(&filter_grad, gpu.caps(), &Epilogue::identity())?, &[x, y], w, flops)
}

/// Runs one launch over inputs and an output of some elements, and reports its speed.
fn measure(gpu: &Gpu, launch: Launch, inputs: &[usize], output: usize, flops: f64) -> Result<()> {
    let label = launch.label.clone();
    let mut buffers = Vec::new();
    for &len in inputs {
        buffers.push(filled(gpu, len)?);
    }
    buffers.push(gpu.create_buffer(output as u64 * 4, "out")?);
    let recording = Recording::new(gpu, vec![Step { launch, buffers }])?;
    let mut best = Duration::MAX;
    let start = Instant::now();
    // The first run compiles.
    recording.run()?;
    gpu.wait()?;
    let first = start.elapsed();
    while start.elapsed() < first + Duration::from_secs(2) {
        let run = Instant::now();
        recording.run()?;
        gpu.wait()?;
        best = best.min(run.elapsed());
    }
    let rate = flops / best.as_secs_f64() / 1e9;
    println!("{label:<52} first {first:>9.1?}  best {best:>9.1?}  {rate:>8.2} GFLOP/s");
    Ok(())
}

fn filled(gpu: &Gpu, len: usize) -> Result<Buffer> {
    let buffer = gpu.create_buffer(len as u64 * 4, "in")?;
    let words: Vec<f32> = (0..len).map(|i| (i % 17) as f32 * 0.1 - 0.8).collect();
    gpu.upload_words(bytemuck::cast_slice(&words), &buffer)?;
    Ok(buffer)
}
