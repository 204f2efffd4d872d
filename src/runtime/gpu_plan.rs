//! A program on a GPU: buffers and dispatches made once, replayed with one submit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::base::{Error, Result, Source, Spec};
use crate::gpu::{Buffer, DeviceTensor, Gpu, Recording, Rows, Step, Work};
use crate::graph::{NodeId, Op};
use crate::kernels::Access;
use crate::program::pass::fuse::Regions;
use crate::program::pass::memory::{Place, Slots};
use crate::program::pass::{at_rest, panels, storage_of};
use crate::program::region::Region;
use crate::program::{LoopPlan, Program};
use crate::runtime::gpu_loop::{self, Given, Recorded};
use crate::runtime::lower::lower;
use crate::runtime::placement::Placement;
use crate::tensor::{Resident, Tensor, Variable};

/// From which buffer to which all words are copied.
type Copy = (Buffer, Buffer);

/// Everything a run needs, allocated.
pub struct GpuPlan {
    gpu: Gpu,
    recording: Recording,
    inputs: Vec<Buffer>,
    /// Buffers of the program's outputs, the new values of variables included.
    outputs: Vec<Buffer>,
    /// Buffers that a run's end overwrites, and those of the outputs that want what was in them.
    saved: Vec<Copy>,
    /// The variables and the buffers that the dispatches read and set.
    bound: Vec<(Variable, Arc<dyn Resident>)>,
    hoisted: Option<Hoisted>,
    scratch_bytes: u64,
    /// Held from the writing of a run's inputs until its outputs are on their way: the next run, by
    /// another thread, has the same buffers.
    turn: Mutex<()>,
}

/// The values that depend on variables only.
struct Hoisted {
    plan: Box<GpuPlan>,
    variables: Vec<Variable>,
    /// Versions of the variables that the values were computed from.
    computed: Mutex<Option<Vec<u64>>>,
}

impl GpuPlan {
    /// Allocates, binds the buffers of variables, which may still be empty, and compiles all kernels.
    pub fn new(
        placement: &Placement<'_>,
        program: &Program,
        regions: &Regions,
        slots: &Slots,
        prelude: Option<GpuPlan>,
    ) -> Result<GpuPlan> {
        let gpu = placement.gpu();
        let mut buffers = Buffers { gpu, program, of: HashMap::new() };
        let bind = |v: &Variable| Some((v.clone(), placement.resident(v)?.clone()));
        let bound = program.variables.values().filter_map(bind).collect();
        buffers.leaves(placement, prelude.as_ref())?;
        let mut scratch_bytes = buffers.scratch(regions, slots)?;
        let mut works = Vec::with_capacity(regions.regions.len());
        for region in &regions.regions {
            works.push(match regions.loops.get(&region.root) {
                None => Work::Step(buffers.step(region)?),
                Some(plan) => {
                    let recorded = buffers.record(plan, region.root, slots)?;
                    scratch_bytes += recorded.scratch_bytes;
                    Work::Loop(recorded.work)
                }
            });
        }
        let input = |i: usize| buffers.input(i);
        let inputs = (0..program.inputs.len()).map(input).collect::<Result<_>>()?;
        let (outputs, saved) = buffers.outputs()?;
        let hoisted = prelude.map(|plan| Hoisted {
            plan: Box::new(plan),
            variables: prelude_variables(program),
            computed: Mutex::new(None),
        });
        let recording = Recording::new(gpu, works)?;
        let gpu = gpu.clone();
        let turn = Mutex::new(());
        Ok(GpuPlan { gpu, recording, inputs, outputs, saved, bound, hoisted, scratch_bytes, turn })
    }

    /// Number of dispatches of one run.
    pub fn dispatches(&self) -> usize {
        self.recording.len()
    }

    /// Number of submits of one run.
    pub fn submits(&self) -> usize {
        self.recording.submits()
    }

    /// Bytes of intermediate values.
    pub fn scratch_bytes(&self) -> u64 {
        self.scratch_bytes
    }

    /// Brings variables and what depends on them only up to date.
    pub fn warm_up(&self) -> Result<()> {
        self.rebind()?;
        self.hoisted.iter().try_for_each(Hoisted::refresh)
    }

    /// Runs all dispatches on whatever the inputs hold, and gives the position of each region that
    /// is one and its time.
    pub fn run_timed(&self) -> Result<Vec<(usize, Duration)>> {
        self.warm_up()?;
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.recording.run_timed()
    }

    /// Uploads the inputs, runs all dispatches and reads the outputs back. While one thread waits for
    /// its outputs, the device can have the work of the next.
    pub fn run(&self, program: &Program, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.rebind()?;
        self.submit(inputs, &self.copies(program)?)?;
        program.assigns.iter().for_each(|(variable, _)| variable.touch());
        let specs: Vec<Spec> = (0..program.returned()).map(|i| program.output_spec(i)).collect();
        let mut bytes: Vec<Vec<u8>> =
            specs.iter().map(|spec| Vec::with_capacity(spec.bytes_at_rest())).collect();
        let sizes = specs.iter().map(|spec| spec.bytes_at_rest() as u64);
        let from: Vec<(Buffer, u64)> = self.outputs.iter().cloned().zip(sizes).collect();
        let mut take = |output: usize, piece: &[u8]| {
            bytes[output].extend_from_slice(piece);
            Ok(())
        };
        self.gpu.download_many(&from, || drop(turn), &mut take)?;
        specs.into_iter().zip(bytes).map(|(spec, bytes)| Tensor::from_rest(spec, bytes)).collect()
    }

    /// Brings values that variables were given since the last run into the buffers that the
    /// dispatches are bound to.
    fn rebind(&self) -> Result<()> {
        for (variable, bound) in &self.bound {
            if variable.resident().is_some_and(|now| Arc::ptr_eq(&now, bound)) {
                continue;
            }
            let Some(tensor) = bound.as_any().downcast_ref::<DeviceTensor>() else { continue };
            let source = variable.source();
            let panels = panels::panels(variable.spec(), self.gpu.max_binding());
            let items = panels.into_iter().filter_map(|(first, spec)| {
                let rows: Arc<dyn Source> = Arc::new(Rows::new(source.clone(), first, spec));
                Some((rows, tensor.panel(first)?.clone()))
            });
            self.gpu.upload_many(&items.collect::<Vec<_>>())?;
            variable.set_resident(bound.clone());
        }
        Ok(())
    }

    fn submit(&self, inputs: &[Tensor], copies: &[Copy]) -> Result<()> {
        self.gpu.check()?;
        if let Some(hoisted) = &self.hoisted {
            hoisted.refresh()?;
        }
        for (tensor, buffer) in inputs.iter().zip(&self.inputs) {
            self.gpu.upload_words(&tensor.to_rest()?, buffer)?;
        }
        self.recording.run_and_copy(copies)
    }

    /// From where to where values go when a run is done, in this order: old values of variables, then
    /// the new ones.
    fn copies(&self, program: &Program) -> Result<Vec<Copy>> {
        let mut copies = self.saved.clone();
        for (variable, position) in &program.assigns {
            let whole = |t: &DeviceTensor| t.panel(0).filter(|_| t.panels() == 1).cloned();
            let resident = on_device(&self.gpu, variable, whole).flatten().ok_or_else(|| {
                Error::Unsupported(format!(
                    "assignment to '{}', which is in panels or was moved off the device",
                    variable.name()
                ))
            })?;
            copies.push((self.outputs[*position].clone(), resident));
        }
        copies.retain(|(from, to)| !from.overlaps(to));
        Ok(copies)
    }
}

impl Hoisted {
    fn refresh(&self) -> Result<()> {
        let versions: Vec<u64> = self.variables.iter().map(Variable::version).collect();
        let mut computed = self.computed.lock().unwrap_or_else(PoisonError::into_inner);
        if computed.as_ref() != Some(&versions) {
            self.plan.rebind()?;
            self.plan.submit(&[], &[])?;
            *computed = Some(versions);
        }
        Ok(())
    }
}

fn prelude_variables(program: &Program) -> Vec<Variable> {
    program.prelude.iter().flat_map(|p| p.variables.values().cloned()).collect()
}

/// A variable that is on this device.
fn on_device<T>(gpu: &Gpu, variable: &Variable, f: impl Fn(&DeviceTensor) -> T) -> Option<T> {
    let resident = variable.resident()?;
    let tensor = resident.as_any().downcast_ref::<DeviceTensor>()?;
    tensor.gpu().is(gpu).then(|| f(tensor))
}

/// A buffer with these words.
pub fn upload(gpu: &Gpu, words: &[u8], label: &str) -> Result<Buffer> {
    let buffer = gpu.create_buffer(words.len() as u64, label)?;
    gpu.upload_words(words, &buffer)?;
    Ok(buffer)
}

/// The buffers of a plan under construction.
struct Buffers<'a> {
    gpu: &'a Gpu,
    program: &'a Program,
    of: HashMap<NodeId, Buffer>,
}

impl Buffers<'_> {
    fn leaves(&mut self, placement: &Placement<'_>, prelude: Option<&GpuPlan>) -> Result<()> {
        let missing = |what: &str| Error::Internal(format!("no buffer for {what}"));
        for (id, node) in self.program.nodes.iter().enumerate() {
            let buffer = match &node.op {
                Op::Input(_) => {
                    self.gpu.create_buffer(node.spec.bytes_at_rest() as u64, "input")?
                }
                Op::Read(read) => {
                    let buffer = placement.panel(read.id, read.first_row);
                    buffer.ok_or_else(|| missing("a variable"))?
                }
                Op::Hoisted(hoisted) => {
                    let outputs = prelude.map(|plan| &plan.outputs);
                    let buffer = outputs.and_then(|o| o.get(hoisted.index)).cloned();
                    buffer.ok_or_else(|| missing("a hoisted value"))?
                }
                Op::Constant(constant) => {
                    upload(self.gpu, &constant.tensor.to_rest()?, "constant")?
                }
                _ => continue,
            };
            self.of.insert(id, buffer);
        }
        Ok(())
    }

    /// Allocates slots and outputs; returns the bytes of the slots.
    fn scratch(&mut self, regions: &Regions, slots: &Slots) -> Result<u64> {
        let scratch: Vec<Buffer> = slots
            .bytes
            .iter()
            .map(|&bytes| self.gpu.create_buffer(bytes as u64, "scratch"))
            .collect::<Result<_>>()?;
        for id in regions.regions.iter().flat_map(|region| region.stores(self.program)) {
            let words = self.program.nodes[id].spec.shape.len();
            let buffer = match slots.of.get(&id) {
                Some(place) => placed(&scratch, place, words)?,
                None => self.gpu.create_buffer(words as u64 * 4, "output")?,
            };
            self.of.insert(id, buffer);
        }
        Ok(scratch.iter().map(Buffer::bytes).sum())
    }

    fn get(&self, id: NodeId) -> Result<Buffer> {
        let id = storage_of(self.program, id);
        let missing = || Error::Internal(format!("value %{id} has no buffer"));
        self.of.get(&id).cloned().ok_or_else(missing)
    }

    /// The buffers of the outputs. An output that is the old value of a variable that is set has a buffer
    /// of its own; these are to be copied, from and to.
    fn outputs(&self) -> Result<(Vec<Buffer>, Vec<Copy>)> {
        let mut saved = Vec::new();
        let program = self.program;
        let output = |(position, &id): (usize, &NodeId)| {
            let buffer = self.get(id)?;
            let Op::Read(read) = &program.nodes[storage_of(program, id)].op else {
                return Ok(buffer);
            };
            let set = |(v, to): &(Variable, usize)| v.id() == read.id && *to != position;
            if !program.assigns.iter().any(set) {
                return Ok(buffer);
            }
            let own = self.gpu.create_buffer(buffer.bytes(), "old value")?;
            saved.push((buffer, own.clone()));
            Ok(own)
        };
        let outputs = program.outputs.iter().enumerate().map(output).collect::<Result<_>>()?;
        Ok((outputs, saved))
    }

    /// The buffer of an input; one that the program does not look at has none of its own.
    fn input(&self, index: usize) -> Result<Buffer> {
        let is_input = |op: &Op| matches!(op, Op::Input(i) if i.index == index);
        match self.program.nodes.iter().position(|n| is_input(&n.op)) {
            Some(id) => self.get(id),
            None => {
                let bytes = self.program.inputs[index].bytes_at_rest();
                self.gpu.create_buffer(bytes as u64, "unused input")
            }
        }
    }

    fn record(&self, plan: &LoopPlan, id: NodeId, slots: &Slots) -> Result<Recorded> {
        let inputs = self.program.nodes[id].inputs.iter().map(|&i| self.get(i));
        let inputs = inputs.collect::<Result<Vec<Buffer>>>()?;
        let results = self.program.results_of(id).into_iter();
        let results = results.map(|(index, id)| Ok((index, self.get(id)?)));
        let results = results.collect::<Result<HashMap<usize, Buffer>>>()?;
        let slots = slots.loops.get(&id);
        let slots = slots.ok_or_else(|| Error::Internal("a loop without slots".into()))?;
        gpu_loop::record(self.gpu, plan, slots, Given { inputs, results })
    }

    fn step(&self, region: &Region) -> Result<Step> {
        let dtype_of = |id: NodeId| self.program.nodes[id].spec.dtype;
        let is_packed = |id: NodeId| at_rest::is_packed(self.program, id);
        let access = Access { is_packed: &is_packed, ..Access::whole(&dtype_of) };
        let lowered = lower(self.program, region, self.gpu.caps(), &access)?;
        let mut buffers =
            lowered.reads.iter().map(|&id| self.get(id)).collect::<Result<Vec<Buffer>>>()?;
        let stores = region.stores(self.program).into_iter().map(|id| self.get(id));
        let first = lowered.launch.first_output;
        buffers.splice(first..first, stores.collect::<Result<Vec<Buffer>>>()?);
        Ok(Step { launch: lowered.launch, buffers })
    }
}

/// The part of its slot that a value of so many words takes.
pub(super) fn placed(slots: &[Buffer], place: &Place, words: usize) -> Result<Buffer> {
    slots[place.slot].part(place.offset as u64, words as u64 * 4)
}
