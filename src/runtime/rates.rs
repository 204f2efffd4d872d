//! The best rates a device shows: the ground of what is said about a kernel's speed.

use std::time::Duration;

use crate::base::{DType, Result};
use crate::gpu::{Buffer, Caps, Gpu, Launch, Recording, Step, Work};
use crate::kernels::{Access, Epilogue, MatMul, map, matmul_block, matmul_tile};
use crate::program::Cost;
use crate::program::region::{Body, Inst};
use crate::program::view::Space;
use crate::runtime::Device;
use crate::runtime::host_product::{Dense, multiply};
use crate::runtime::host_strips::{Layout, Strips};
use crate::runtime::times::Times;

/// Rows and columns of the product that shows the arithmetic rate.
const LARGE: usize = 1024;

/// Rows and columns where a product of [`LARGE`] would take longer than [`LONG`].
const SMALL: usize = 512;

/// Rows and columns of the product that tells whether it would.
const TRIAL: usize = 256;

/// Seconds of one product from which on a smaller one is measured.
const LONG: f64 = 1.0;

/// Elements of the copy that shows the rate of memory.
const COPIED: usize = 16 << 20;

/// Time for each probe.
const SPAN: Duration = Duration::from_millis(500);

/// Time after which one run of a probe is enough.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a device reaches at best, per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Operations on float32, by the best of the product kernels on matrices of 1024 × 1024; of
    /// 512 × 512 on an adapter that would need more than a second for one such product.
    pub flops: f64,
    /// Bytes read and written by a copy of 64 MiB, the better of a kernel and the driver's own.
    pub bytes: f64,
}

impl Rates {
    /// Measures them, in about two seconds; in a few more on an adapter that is slow.
    ///
    /// # Errors
    /// What the device reports.
    pub fn measure(device: &Device) -> Result<Rates> {
        let (flops, copy) = match device {
            Device::Gpu(gpu) => (gpu_flops(gpu)?, gpu_copy(gpu)?),
            Device::Host => (operations(LARGE) / host_product()?, host_copy()?),
        };
        Ok(Rates { flops, bytes: (2 * 4 * COPIED) as f64 / copy })
    }

    /// The least seconds that work can take at these rates: what the slower of its arithmetic and
    /// its traffic needs.
    pub fn seconds(&self, work: Cost) -> f64 {
        (work.flops as f64 / self.flops).max(work.bytes as f64 / self.bytes)
    }
}

/// What a product of square matrices takes.
fn operations(n: usize) -> f64 {
    2.0 * (n as f64).powi(3)
}

fn gpu_flops(gpu: &Gpu) -> Result<f64> {
    let trial = gpu_product(gpu, TRIAL, Duration::ZERO)?;
    let slow = trial * operations(LARGE) / operations(TRIAL) > LONG;
    let n = if slow { SMALL } else { LARGE };
    Ok(operations(n) / gpu_product(gpu, n, SPAN)?)
}

/// Least seconds of a product of square matrices, by the better kernel.
fn gpu_product(gpu: &Gpu, n: usize, span: Duration) -> Result<f64> {
    let problem = MatMul {
        batch: 1,
        m: n,
        n,
        k: n,
        a_batch: true,
        b_batch: true,
        transpose_a: false,
        transpose_b: false,
        halves: false,
    };
    let block = matmul_block::launch(&problem, gpu.caps(), &Epilogue::identity())?;
    let tile = matmul_tile::launch(&problem, gpu.caps(), &Epilogue::identity())?;
    let seconds = |launch| {
        let buffers = vec![filled(gpu, n * n)?, filled(gpu, n * n)?, filled(gpu, n * n)?];
        launched(gpu, launch, buffers, span)
    };
    Ok(seconds(block)?.min(seconds(tile)?))
}

fn gpu_copy(gpu: &Gpu) -> Result<f64> {
    let (from, to) = (filled(gpu, COPIED)?, gpu.create_buffer(COPIED as u64 * 4, "out")?);
    let driver = Times::within(SPAN, PATIENCE, || {
        gpu.copy(&from, &to)?;
        gpu.wait()
    })?;
    let kernel = launched(gpu, copy(gpu.caps())?, vec![from, to], SPAN)?;
    Ok(driver.least().min(kernel))
}

/// The kernel that a region of one load becomes.
fn copy(caps: &Caps) -> Result<Launch> {
    let space = Space::new(&[&[COPIED]]);
    let load = Inst::Load { operand: 0, dtype: DType::Float32, at: space.position(0..1) };
    let body = Body { space, operands: vec![0], code: vec![load] };
    map::launch(&body, COPIED, caps, &Access::whole(&|_| DType::Float32)).map(|(launch, _)| launch)
}

/// Least seconds of one launch, from its submit to its end.
fn launched(gpu: &Gpu, launch: Launch, buffers: Vec<Buffer>, span: Duration) -> Result<f64> {
    let recording = Recording::new(gpu, vec![Work::Step(Step { launch, buffers })])?;
    let times = Times::within(span, PATIENCE, || {
        recording.run()?;
        gpu.wait()
    })?;
    Ok(times.least())
}

fn filled(gpu: &Gpu, len: usize) -> Result<Buffer> {
    let buffer = gpu.create_buffer(len as u64 * 4, "in")?;
    gpu.upload_words(bytemuck::cast_slice(&numbers(len)), &buffer)?;
    Ok(buffer)
}

/// Numbers of no meaning and ordinary size.
fn numbers(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i % 17) as f32 * 0.1 - 0.8).collect()
}

fn host_product() -> Result<f64> {
    let n = LARGE;
    let (a, b, mut out) = (numbers(n * n), numbers(n * n), vec![0.0; n * n]);
    let layout = Layout::rows(n, n);
    let strips = Strips::pack(&b, layout, vec![0.0; Strips::words(&layout)])?;
    let rows = Dense { data: &a, depth: n, count: n };
    let times = rayon::scope(|_| {
        Times::of(SPAN, || {
            multiply(&mut out, &rows, n, &strips, &|_, _| ());
            Ok(())
        })
    })?;
    Ok(times.least())
}

/// A copy by all cores.
fn host_copy() -> Result<f64> {
    let (from, mut to) = (numbers(COPIED), vec![0f32; COPIED]);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let piece = COPIED.div_ceil(cores);
    let times = Times::of(SPAN, || {
        std::thread::scope(|scope| {
            for (to, from) in to.chunks_mut(piece).zip(from.chunks(piece)) {
                scope.spawn(move || to.copy_from_slice(from));
            }
        });
        Ok(())
    })?;
    Ok(times.least())
}
