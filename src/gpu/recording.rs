//! A list of dispatches, ready to be submitted again and again.

use std::sync::Arc;

use crate::base::{Error, Result};
use crate::gpu::submit::Load;
use crate::gpu::uniforms::Uniforms;
use crate::gpu::{Buffer, Gpu, Launch, Pipeline};

/// What a recording does at one place of its list.
#[derive(Clone, Debug)]
pub enum Work {
    /// One dispatch.
    Step(Step),
    /// Work that is done several times.
    Loop(Loop),
}

/// A launch and the buffers it works on.
#[derive(Clone, Debug)]
pub struct Step {
    /// The kernel, its parameters and its grid.
    pub launch: Launch,
    /// As many as the launch binds, in the order of its bindings. What is written must not be bound
    /// twice; other parts of the same buffer may be.
    pub buffers: Vec<Buffer>,
}

/// Work that is done `steps` times. Its kernels may read the number of the step they are in.
#[derive(Clone, Debug)]
pub struct Loop {
    /// How often the work is done.
    pub steps: usize,
    /// The work of a step, by its [`turn`](Loop::turn): the same dispatches on other buffers.
    pub turns: [Vec<Work>; 3],
}

impl Loop {
    /// Which of the works a step does: the first is for the first step; of the others, the second is
    /// for the last step and every second one before it, the third for those between.
    pub fn turn(steps: usize, step: usize) -> usize {
        if step == 0 { 0 } else { 1 + (steps - 1 - step) % 2 }
    }
}

/// Pipelines, parameters and bind groups of a list of steps, made once.
pub struct Recording {
    gpu: Gpu,
    steps: Vec<Recorded>,
    order: Vec<Entry>,
    /// From one number of a step to the next in their buffer.
    stride: u32,
}

/// Steps by their position, in the order in which they run.
enum Entry {
    Step(usize),
    Loop { steps: usize, turns: [Vec<Entry>; 3] },
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
    work: u64,
    /// Whether it reads the number of a loop's step.
    in_loop: bool,
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
    pub fn new(gpu: &Gpu, works: Vec<Work>) -> Result<Recording> {
        let (mut steps, mut order, mut longest) = (Vec::new(), Vec::new(), 0);
        for (position, work) in works.into_iter().enumerate() {
            order.extend(flatten(vec![work], position, &mut steps, &mut longest));
        }
        steps.iter().try_for_each(|(_, step)| step.check(gpu))?;
        let launches: Vec<&Launch> = steps.iter().map(|(_, step)| &step.launch).collect();
        let beside: Vec<Vec<usize>> = steps.iter().map(|(_, step)| step.beside_written()).collect();
        let pipelines = gpu.pipelines(&launches, &beside)?;
        let uniforms = Uniforms::new(gpu, &launches, longest)?;
        let steps = gpu.guarded("bind groups", || {
            let bound = steps.into_iter().zip(pipelines).enumerate();
            bound.map(|(i, (step, pipeline))| record(gpu, step, pipeline, &uniforms, i)).collect()
        })?;
        Ok(Recording { gpu: gpu.clone(), steps, order, stride: uniforms.stride })
    }

    /// Number of dispatches of one run, those of every step of loops counted.
    pub fn len(&self) -> usize {
        count(&self.order)
    }

    /// Number of submits of one run.
    pub fn submits(&self) -> usize {
        let (mut load, mut count) = (Load::new(self.gpu.caps().kind), 1);
        // Nothing fails here.
        let _ = visit(&self.order, 0, &mut |index, _| {
            count += usize::from(load.add(self.steps[index].work));
            Ok(())
        });
        count
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub(super) fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// All dispatches of one run in order, with the offset of the number of their loop's step.
    pub(super) fn dispatches(&self) -> Vec<(&Recorded, u32)> {
        let mut all = Vec::with_capacity(self.len());
        let each = &mut |index: usize, step: usize| {
            all.push((&self.steps[index], self.offset(step)));
            Ok(())
        };
        // Nothing fails here.
        let _ = visit(&self.order, 0, each);
        all
    }

    /// Where the number of a loop's step is in its buffer; `Uniforms` has made all of them.
    fn offset(&self, step: usize) -> u32 {
        (step as u32).saturating_mul(self.stride)
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
        let mut commands = Commands::new(self);
        visit(&self.order, 0, &mut |index, step| commands.dispatch(index, step))?;
        let mut encoder = commands.finish();
        for (from, to) in copies {
            from.encode_copy(to, &mut encoder);
        }
        self.gpu.submit(encoder).map(|_| ())
    }
}

/// Moves the steps with anything to do into one list, each with the position of the work that they are
/// a part of; `longest` becomes the number of steps of the longest loop.
fn flatten(
    works: Vec<Work>,
    position: usize,
    steps: &mut Vec<(usize, Step)>,
    longest: &mut usize,
) -> Vec<Entry> {
    let mut order = Vec::with_capacity(works.len());
    for work in works {
        match work {
            Work::Step(step) if step.launch.grid.contains(&0) => {}
            Work::Step(step) => {
                order.push(Entry::Step(steps.len()));
                steps.push((position, step));
            }
            Work::Loop(inner) => {
                *longest = inner.steps.max(*longest);
                let turns = inner.turns.map(|works| flatten(works, position, steps, longest));
                order.push(Entry::Loop { steps: inner.steps, turns });
            }
        }
    }
    order
}

fn count(order: &[Entry]) -> usize {
    let dispatches = |entry: &Entry| match entry {
        Entry::Step(_) => 1,
        Entry::Loop { steps, turns } => steps * count(&turns[0]),
    };
    order.iter().map(dispatches).sum()
}

/// Command buffers under construction.
struct Commands<'a> {
    recording: &'a Recording,
    encoder: wgpu::CommandEncoder,
    pass: Option<wgpu::ComputePass<'static>>,
    pipeline: Option<&'a Arc<Pipeline>>,
    load: Load,
}

/// Calls `each` with every step in the order in which they run; `step` is the number of the step of
/// the loop that they are in.
fn visit(
    order: &[Entry],
    step: usize,
    each: &mut dyn FnMut(usize, usize) -> Result<()>,
) -> Result<()> {
    for entry in order {
        match entry {
            Entry::Step(index) => each(*index, step)?,
            Entry::Loop { steps, turns } => {
                for step in 0..*steps {
                    visit(&turns[Loop::turn(*steps, step)], step, each)?;
                }
            }
        }
    }
    Ok(())
}

impl<'a> Commands<'a> {
    fn new(recording: &'a Recording) -> Commands<'a> {
        let encoder = recording.gpu.device().create_command_encoder(&Default::default());
        let load = Load::new(recording.gpu.caps().kind);
        Commands { recording, encoder, pass: None, pipeline: None, load }
    }

    fn dispatch(&mut self, index: usize, step: usize) -> Result<()> {
        let recorded = &self.recording.steps[index];
        if self.load.add(recorded.work) {
            let next = Commands { load: self.load, ..Commands::new(self.recording) };
            let full = std::mem::replace(self, next);
            full.recording.gpu.submit(full.finish())?;
        }
        let encoder = &mut self.encoder;
        let pass = self.pass.get_or_insert_with(|| {
            encoder.begin_compute_pass(&Default::default()).forget_lifetime()
        });
        if !self.pipeline.is_some_and(|pipeline| Arc::ptr_eq(pipeline, &recorded.pipeline)) {
            pass.set_pipeline(&recorded.pipeline.raw);
            self.pipeline = Some(&recorded.pipeline);
        }
        recorded.dispatch(pass, self.recording.offset(step));
        Ok(())
    }

    /// Ends the pass; more commands may follow in the encoder.
    fn finish(self) -> wgpu::CommandEncoder {
        drop(self.pass);
        self.encoder
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
        for i in launch.written() {
            let shared = |(j, other): (usize, &Buffer)| i != j && other.overlaps(&self.buffers[i]);
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

    /// Bindings that are read from buffers of which the kernel writes another part.
    fn beside_written(&self) -> Vec<usize> {
        let written = self.launch.written();
        let beside = |i: &usize| {
            let output = |output: usize| self.buffers[output].is_beside(&self.buffers[*i]);
            !written.contains(i) && written.clone().any(output)
        };
        (0..self.buffers.len()).filter(beside).collect()
    }
}

fn record(
    gpu: &Gpu,
    (position, step): (usize, Step),
    pipeline: Arc<Pipeline>,
    uniforms: &Uniforms,
    index: usize,
) -> Recorded {
    let storage = step
        .buffers
        .iter()
        .enumerate()
        .map(|(i, buffer)| wgpu::BindGroupEntry { binding: i as u32, resource: buffer.binding() });
    let group = |layout: &wgpu::BindGroupLayout, entries: &[wgpu::BindGroupEntry<'_>]| {
        let label = Some(step.launch.label.as_str());
        gpu.count_object();
        gpu.device().create_bind_group(&wgpu::BindGroupDescriptor { label, layout, entries })
    };
    let buffers = group(&pipeline.layout.buffers, &storage.collect::<Vec<_>>());
    let params = group(&pipeline.layout.params, &uniforms.entries(index, &step.launch));
    Recorded {
        position,
        pipeline,
        buffers,
        params,
        grid: step.launch.grid,
        label: step.launch.label,
        work: step.launch.work,
        in_loop: step.launch.steps,
        _keep: step.buffers,
    }
}

impl Recorded {
    /// The step alone; `offset` is that of the number of its loop's step.
    pub(super) fn encode(&self, pass: &mut wgpu::ComputePass<'_>, offset: u32) {
        pass.set_pipeline(&self.pipeline.raw);
        self.dispatch(pass, offset);
    }

    /// The step behind others of the same pipeline.
    fn dispatch(&self, pass: &mut wgpu::ComputePass<'_>, offset: u32) {
        pass.set_bind_group(0, &self.buffers, &[]);
        let offsets = [offset];
        pass.set_bind_group(1, &self.params, if self.in_loop { &offsets } else { &[] });
        let [x, y, z] = self.grid;
        pass.dispatch_workgroups(x, y, z);
    }
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.steps.iter().map(|step| &step.label)).finish()
    }
}
