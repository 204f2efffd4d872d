//! Speed of the contraction kernels on the adapter of this machine: `cargo bench --bench kernels`.
//!
//! Prints the best of several runs; `KERAUNOS_ADAPTER` chooses an adapter by part of its name.

use std::time::{Duration, Instant};

use keraunos::base::Result;
use keraunos::gpu::{Buffer, Caps, Choice, Gpu, Launch, Recording, Step};
use keraunos::kernels::{Epilogue, MatMul, matmul_block, matmul_tile, matmul_vec};

fn main() -> Result<()> {
    let choice = std::env::var("KERAUNOS_ADAPTER").map_or(Choice::AnyGpu, Choice::Named);
    let gpu = Gpu::open(&choice)?;
    println!("{gpu:?}");
    for (m, n, k) in [(512, 512, 512), (1024, 1024, 1024), (1, 1024, 1024), (1000, 10, 784)] {
        matmul(&gpu, m, n, k)?;
    }
    Ok(())
}

type Launcher = fn(&MatMul, &Caps, &Epilogue) -> Result<Launch>;

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
    println!("{label:<44} first {first:>9.1?}  best {best:>9.1?}  {rate:>8.2} GFLOP/s");
    Ok(())
}

fn filled(gpu: &Gpu, len: usize) -> Result<Buffer> {
    let buffer = gpu.create_buffer(len as u64 * 4, "in")?;
    let words: Vec<f32> = (0..len).map(|i| (i % 17) as f32 * 0.1 - 0.8).collect();
    gpu.upload_words(bytemuck::cast_slice(&words), &buffer)?;
    Ok(buffer)
}
