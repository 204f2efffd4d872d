//! Parameters of recorded dispatches, in buffers made once.

use crate::base::{Error, Result};
use crate::gpu::pipeline::STEP;
use crate::gpu::{Gpu, Launch};

/// Bytes of a step's number, as the shaders declare it.
const STEP_BYTES: u64 = 16;

/// Buffers with the parameters of all steps, and with the numbers of a loop's steps.
pub(super) struct Uniforms {
    params: wgpu::Buffer,
    /// Offset and size of the params and extra words of each step; size 0 where there are none.
    ranges: Vec<[(u64, u64); 2]>,
    numbers: Option<wgpu::Buffer>,
    /// From one number to the next.
    pub(super) stride: u32,
}

impl Uniforms {
    pub(super) fn new(gpu: &Gpu, launches: &[&Launch], longest: usize) -> Result<Uniforms> {
        let alignment = gpu.uniform_alignment().max(STEP_BYTES as usize);
        let mut bytes: Vec<u8> = Vec::new();
        let mut place = |words: &[u32]| {
            bytes.resize(bytes.len().next_multiple_of(alignment), 0);
            let offset = bytes.len();
            bytes.extend_from_slice(bytemuck::cast_slice(words));
            // Uniform blocks are measured in units of 16 bytes by some interfaces.
            bytes.resize(bytes.len().next_multiple_of(16), 0);
            (offset as u64, (bytes.len() - offset) as u64)
        };
        let ranges =
            launches.iter().map(|launch| [place(&launch.params), place(&launch.extra)]).collect();
        let params = uniform(gpu, "params", bytes)?;
        let numbers = match launches.iter().any(|launch| launch.steps) {
            true => Some(uniform(gpu, "numbers of steps", numbers(longest, alignment)?)?),
            false => None,
        };
        Ok(Uniforms { params, ranges, numbers, stride: alignment as u32 })
    }

    /// What a step binds beside its storage buffers.
    pub(super) fn entries(&self, index: usize, launch: &Launch) -> Vec<wgpu::BindGroupEntry<'_>> {
        let entry = |binding: usize, buffer, offset, size| wgpu::BindGroupEntry {
            binding: binding as u32,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer,
                offset,
                size: wgpu::BufferSize::new(size),
            }),
        };
        let present = self.ranges[index].iter().enumerate().filter(|(_, (_, size))| *size > 0);
        let params = present.map(|(i, &(offset, size))| entry(i, &self.params, offset, size));
        let number = self.numbers.as_ref().filter(|_| launch.steps);
        params.chain(number.map(|buffer| entry(STEP, buffer, 0, STEP_BYTES))).collect()
    }
}

/// 0, 1, 2, … at offsets that a binding may have.
fn numbers(count: usize, stride: usize) -> Result<Vec<u8>> {
    let bytes = count.checked_mul(stride).filter(|&bytes| u32::try_from(bytes).is_ok());
    let bytes = bytes.ok_or_else(|| Error::Limit {
        what: "a loop over time".into(),
        need: format!("{count} steps"),
        limit: format!("{} steps", u32::MAX as usize / stride),
        owner: "offsets of bindings".into(),
    })?;
    let mut numbers = vec![0; bytes];
    for (step, place) in numbers.chunks_exact_mut(stride).enumerate() {
        place[..4].copy_from_slice(&(step as u32).to_ne_bytes());
    }
    Ok(numbers)
}

fn uniform(gpu: &Gpu, label: &str, mut bytes: Vec<u8>) -> Result<wgpu::Buffer> {
    bytes.resize(bytes.len().max(16), 0);
    let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    let buffer = gpu.create_raw(bytes.len() as u64, label, usage)?;
    gpu.queue().write_buffer(&buffer, 0, &bytes);
    Ok(buffer)
}
