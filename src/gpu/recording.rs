//! A list of dispatches, ready to be submitted again and again.

use std::sync::Arc;

use crate::base::{Error, Result};
use crate::gpu::{Buffer, Gpu, Launch, Pipeline};

/// Dispatches in one submit: drivers watch how long a submit takes, software adapters are slow.
const STEPS_PER_SUBMIT: usize = 1024;

/// A launch and the buffers it works on.
#[derive(Clone, Debug)]
pub struct Step {
    pub launch: Launch,
    /// As many as the launch binds, in the order of its bindings. A buffer that is written must
    /// not be bound twice.
    pub buffers: Vec<Buffer>,
}

/// Pipelines, parameters and bind groups of a list of steps, made once.
pub struct Recording {
    gpu: Gpu,
    steps: Vec<Recorded>,
}

/// A step as it is replayed.
pub(super) struct Recorded {
    /// Where the step was in the list given.
    pub(super) position: usize,
    pipeline: Arc<Pipeline>,
    buffers: wgpu::BindGroup,
    params: wgpu::BindGroup,
    grid: [u32; 3],
    pub(super) label: String,
    /// Kept so that the memory stays accounted for while the bind group holds it.
    _keep: Vec<Buffer>,
}

impl Recording {
    /// Compiles the kernels of all steps and binds their buffers. Steps whose grid is empty are
    /// left out.
    ///
    /// # Errors
    /// [`Error::Device`] when the driver refuses a kernel, [`Error::Limit`] when a step is too
    /// large for the adapter, [`Error::Internal`] when a step contradicts itself.
    pub fn new(gpu: &Gpu, steps: Vec<Step>) -> Result<Recording> {
        let mut steps: Vec<(usize, Step)> = steps.into_iter().enumerate().collect();
        steps.retain(|(_, step)| !step.launch.grid.contains(&0));
        steps.iter().try_for_each(|(_, step)| step.check(gpu))?;
        let launches: Vec<&Launch> = steps.iter().map(|(_, step)| &step.launch).collect();
        let pipelines = gpu.pipelines(&launches)?;
        let uniforms = Uniforms::new(gpu, &launches)?;
        let steps = gpu.guarded("bind groups", || {
            let bound = steps.into_iter().zip(pipelines).zip(&uniforms.ranges);
            bound
                .map(|((step, pipeline), ranges)| {
                    record(gpu.device(), step, pipeline, &uniforms.buffer, ranges)
                })
                .collect()
        })?;
        Ok(Recording { gpu: gpu.clone(), steps })
    }

    /// Number of dispatches.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub(super) fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    pub(super) fn steps(&self) -> &[Recorded] {
        &self.steps
    }

    /// Writes all dispatches into one compute pass.
    pub fn encode(&self, encoder: &mut wgpu::CommandEncoder) {
        encode(&self.steps, encoder);
    }

    /// Submits all dispatches without waiting for them.
    ///
    /// # Errors
    /// [`Error::Device`] and [`Error::DeviceLost`], also of work submitted earlier.
    pub fn run(&self) -> Result<()> {
        self.run_and_copy(&[])
    }

    /// Submits all dispatches, and behind them copies of whole buffers, from and to, in order.
    ///
    /// # Errors
    /// As [`run`](Recording::run); [`Error::Internal`] when a target is smaller than its source.
    pub fn run_and_copy(&self, copies: &[(Buffer, Buffer)]) -> Result<()> {
        self.gpu.check()?;
        copies.iter().try_for_each(|(from, to)| to.check_range(0, from.bytes()))?;
        let last = self.steps.len().div_ceil(STEPS_PER_SUBMIT).saturating_sub(1);
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        for (i, steps) in self.steps.chunks(STEPS_PER_SUBMIT).enumerate() {
            encode(steps, &mut encoder);
            if i < last {
                let next = self.gpu.device().create_command_encoder(&Default::default());
                self.gpu.submit(std::mem::replace(&mut encoder, next))?;
            }
        }
        for (from, to) in copies {
            encoder.copy_buffer_to_buffer(from.raw(), 0, to.raw(), 0, from.bytes());
        }
        self.gpu.submit(encoder).map(|_| ())
    }
}

impl Step {
    fn check(&self, gpu: &Gpu) -> Result<()> {
        let launch = &self.launch;
        let caps = gpu.caps();
        let limit = |what: &str, need: u64, limit: u64| match need <= limit {
            true => Ok(()),
            false => Err(Error::Limit {
                what: format!("{what} of '{}'", launch.label),
                need: need.to_string(),
                limit: limit.to_string(),
                owner: format!("adapter '{}'", caps.name),
            }),
        };
        if self.buffers.len() != launch.bindings {
            return Err(Error::Internal(format!(
                "step '{}' binds {} buffers, its kernel {} has {}",
                launch.label,
                self.buffers.len(),
                launch.kernel,
                launch.bindings
            )));
        }
        limit("storage bindings", launch.bindings as u64, caps.max_bindings as u64)?;
        for groups in launch.grid {
            limit("workgroups", groups.into(), caps.max_groups.into())?;
        }
        let written = launch.first_output..launch.first_output + launch.outputs;
        for i in written {
            let shared = |(j, other): (usize, &Buffer)| i != j && other.is(&self.buffers[i]);
            if self.buffers.iter().enumerate().any(shared) {
                return Err(Error::Internal(format!(
                    "step '{}' writes buffer '{}' and binds it twice",
                    launch.label,
                    self.buffers[i].label()
                )));
            }
        }
        Ok(())
    }
}

/// One buffer with the parameters of all steps.
struct Uniforms {
    buffer: wgpu::Buffer,
    /// Offset and size of the params and extra words of each step; size 0 where there are none.
    ranges: Vec<[(u64, u64); 2]>,
}

impl Uniforms {
    fn new(gpu: &Gpu, launches: &[&Launch]) -> Result<Uniforms> {
        let alignment = gpu.uniform_alignment().max(16);
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
        bytes.resize(bytes.len().max(16), 0);
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let buffer = gpu.create_raw(bytes.len() as u64, "params", usage)?;
        gpu.queue().write_buffer(&buffer, 0, &bytes);
        Ok(Uniforms { buffer, ranges })
    }
}

fn record(
    device: &wgpu::Device,
    (position, step): (usize, Step),
    pipeline: Arc<Pipeline>,
    uniforms: &wgpu::Buffer,
    ranges: &[(u64, u64); 2],
) -> Recorded {
    let storage = step.buffers.iter().enumerate().map(|(i, buffer)| wgpu::BindGroupEntry {
        binding: i as u32,
        resource: buffer.raw().as_entire_binding(),
    });
    let present = ranges.iter().enumerate().filter(|(_, (_, size))| *size > 0);
    let params = present.map(|(i, &(offset, size))| wgpu::BindGroupEntry {
        binding: i as u32,
        resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: uniforms,
            offset,
            size: wgpu::BufferSize::new(size),
        }),
    });
    let group = |layout: &wgpu::BindGroupLayout, entries: Vec<wgpu::BindGroupEntry<'_>>| {
        let label = Some(step.launch.label.as_str());
        device.create_bind_group(&wgpu::BindGroupDescriptor { label, layout, entries: &entries })
    };
    let buffers = group(&pipeline.layout.buffers, storage.collect());
    let params = group(&pipeline.layout.params, params.collect());
    Recorded {
        position,
        pipeline,
        buffers,
        params,
        grid: step.launch.grid,
        label: step.launch.label,
        _keep: step.buffers,
    }
}

fn encode(steps: &[Recorded], encoder: &mut wgpu::CommandEncoder) {
    let mut pass = encoder.begin_compute_pass(&Default::default());
    let mut current: Option<&Arc<Pipeline>> = None;
    for step in steps {
        if !current.is_some_and(|pipeline| Arc::ptr_eq(pipeline, &step.pipeline)) {
            pass.set_pipeline(&step.pipeline.raw);
            current = Some(&step.pipeline);
        }
        step.dispatch(&mut pass);
    }
}

impl Recorded {
    /// The step alone.
    pub(super) fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline.raw);
        self.dispatch(pass);
    }

    /// The step behind others of the same pipeline.
    fn dispatch(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_bind_group(0, &self.buffers, &[]);
        pass.set_bind_group(1, &self.params, &[]);
        let [x, y, z] = self.grid;
        pass.dispatch_workgroups(x, y, z);
    }
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.steps.iter().map(|step| &step.label)).finish()
    }
}
