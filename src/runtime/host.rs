//! The host executor: the same regions as on a GPU, computed by the processor's cores.
//!
//! Products and convolutions go through matrix multiplication ([`host_kernels`]); everything around
//! them is interpreted in runs of neighbouring elements ([`host_body`]), so that a fused region
//! touches memory once. The oracle of the tests is not this, but [`graph::eval`](crate::graph::eval).

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::base::{Error, Result, ResultExt, Source, Spec};
use crate::graph::eval::last_uses;
use crate::graph::{NodeId, Op};
use crate::program::pass::fuse::{self, Regions};
use crate::program::pass::{memory, storage_of};
use crate::program::region::{Region, RegionKind};
use crate::program::{Options, Pass, Program};
use crate::runtime::host_body::{self, Behind, Operand};
use crate::runtime::host_loop::HostLoop;
use crate::runtime::host_unpacked::Unpacked;
use crate::runtime::host_value::{HostValue, Memory};
use crate::runtime::{host_kernels, host_reduce, lower};
use crate::tensor::{Array, Resident, Tensor, Variable, Words};

/// A program on the host.
pub struct HostPlan {
    regions: Regions,
    constants: HashMap<NodeId, Arc<HostValue>>,
    /// For each region, the stored values that nobody reads after it.
    dead: Vec<Vec<NodeId>>,
    hoisted: Option<Hoisted>,
    loops: HashMap<NodeId, HostLoop>,
    unpacked: Unpacked,
    memory: Arc<Memory>,
}

/// The values of one run, by their nodes.
pub type Values = Vec<Option<Arc<HostValue>>>;

struct Hoisted {
    plan: Box<HostPlan>,
    program: Box<Program>,
    computed: Mutex<Option<Computed>>,
}

/// The versions of the variables, and the values computed from them.
type Computed = (Vec<u64>, Vec<Arc<HostValue>>);

/// A variable's elements in host memory, in their lane.
struct HostResident(Arc<HostValue>);

impl Source for HostResident {
    fn spec(&self) -> &Spec {
        self.0.stored().map_or_else(|| &self.0.spec, Tensor::spec)
    }

    fn read(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
        if let Some(stored) = self.0.stored() {
            return stored.read(offset, buf);
        }
        let size = self.0.spec.dtype.size();
        let (first, last) = (offset / size, (offset + buf.len()).div_ceil(size));
        let words = self.0.word_bytes();
        let piece = words.get(first * 4..last * 4).ok_or_else(|| {
            Error::Internal(format!("read of {} bytes at {offset} of {}", buf.len(), self.0.spec))
        })?;
        if size == 4 {
            let skip = offset - first * 4;
            buf.copy_from_slice(&piece[skip..skip + buf.len()]);
            return Ok(());
        }
        let spec = Spec::new([last - first], self.0.spec.dtype);
        let stored = Array::from_word_bytes(spec, piece).to_tensor();
        let skip = offset - first * size;
        buf.copy_from_slice(&stored.bytes()[skip..skip + buf.len()]);
        Ok(())
    }
}

impl Resident for HostResident {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The elements of a variable, read into host memory when they are not there yet.
pub fn resident(variable: &Variable) -> Result<Arc<HostValue>> {
    if let Some(there) = on_host(variable) {
        return Ok(there);
    }
    let (source, value) = read(variable)?;
    source.check().at(|| title(variable))?;
    let value = Arc::new(value);
    // Another thread may move it to a device meanwhile: what was read stays right.
    variable.set_resident(Arc::new(HostResident(value.clone())));
    Ok(value)
}

/// Where a variable's elements are, and they.
fn read(variable: &Variable) -> Result<(Arc<dyn Source>, HostValue)> {
    let source = variable.source();
    let value = match variable.spec().dtype.is_narrow() {
        true => Tensor::read_from(source.as_ref()).and_then(HostValue::of_stored),
        false => Array::read(source.as_ref()).map(HostValue::new),
    };
    let value = value.at(|| title(variable))?;
    Ok((source, value))
}

/// The elements of a variable that is in host memory.
fn on_host(variable: &Variable) -> Option<Arc<HostValue>> {
    let resident = variable.resident()?;
    let host: &HostResident = resident.as_any().downcast_ref()?;
    Some(host.0.clone())
}

/// Reads variables into host memory that are not there yet, with all processor cores. None is used
/// before all were read and found to be what their file holds.
pub fn place(variables: &[&Variable]) -> Result<()> {
    let mut missing = variables.to_vec();
    missing.retain(|variable| on_host(variable).is_none());
    missing.sort_by_key(|variable| variable.id());
    missing.dedup_by_key(|variable| variable.id());
    let read: Vec<_> = missing.par_iter().map(|v| read(v)).collect::<Result<_>>()?;
    for (variable, (source, _)) in missing.iter().zip(&read) {
        source.check().at(|| title(variable))?;
    }
    for (variable, (_, value)) in missing.iter().zip(read) {
        variable.set_resident(Arc::new(HostResident(Arc::new(value))));
    }
    Ok(())
}

fn title(variable: &Variable) -> String {
    format!("variable '{}'", variable.name())
}

impl HostPlan {
    /// A plan whose values use this memory.
    pub fn new(program: &Program, options: &Options, memory: &Arc<Memory>) -> Result<HostPlan> {
        let regions = fuse::run_on_host(program, options.has(Pass::Fuse))?;
        let mut constants = HashMap::new();
        for (id, node) in program.nodes.iter().enumerate().filter(|(id, _)| regions.stored[*id]) {
            if let Op::Constant(constant) = &node.op {
                constants.insert(id, Arc::new(HostValue::new(constant.tensor.to_array()?)));
            }
        }
        let hoisted = match &program.prelude {
            Some(prelude) => Some(Hoisted {
                plan: Box::new(HostPlan::new(prelude, options, memory)?),
                program: prelude.clone(),
                computed: Mutex::new(None),
            }),
            None => None,
        };
        let dead = dead_after(program, &regions);
        let loops = regions.loops.iter().map(|(&id, plan)| {
            let inner = HostLoop::new(&plan.op, options, memory)?;
            Ok((id, inner))
        });
        let loops = loops.collect::<Result<_>>()?;
        let memory = Arc::clone(memory);
        let unpacked = Unpacked::default();
        Ok(HostPlan { regions, constants, dead, hoisted, loops, unpacked, memory })
    }

    /// Computes the returned outputs.
    pub fn run(&self, program: &Program, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let outputs = self.compute_on_all_cores(program, inputs, &mut |_, _| ())?;
        for (variable, position) in &program.assigns {
            variable.set_resident(Arc::new(HostResident(outputs[*position].clone())));
            variable.touch();
        }
        let tensors = outputs[..program.returned()].iter().map(|value| value.to_tensor()).collect();
        outputs.into_iter().for_each(|value| self.memory.give(value));
        Ok(tensors)
    }

    /// Computes the outputs, sets no variable, and gives the position of each region and its time.
    pub fn run_timed(
        &self,
        program: &Program,
        inputs: &[Tensor],
    ) -> Result<Vec<(usize, Duration)>> {
        let mut times = Vec::new();
        self.compute_on_all_cores(program, inputs, &mut |region, time| times.push((region, time)))?;
        Ok(times)
    }

    /// [`compute`](HostPlan::compute) by one of the threads that share the work, so that it does not
    /// wait for another one at every region.
    fn compute_on_all_cores(
        &self,
        program: &Program,
        inputs: &[Tensor],
        done: &mut (dyn FnMut(usize, Duration) + Send),
    ) -> Result<Vec<Arc<HostValue>>> {
        rayon::scope(|_| {
            let arrays = inputs.iter().map(|t| Ok(Arc::new(HostValue::new(t.to_array()?))));
            self.compute(program, &arrays.collect::<Result<Vec<_>>>()?, done)
        })
    }

    /// Reads the variables that are not there yet; gives what depends on variables only.
    pub fn warm_up(&self, program: &Program) -> Result<Vec<Arc<HostValue>>> {
        let of_prelude = program.prelude.iter().flat_map(|prelude| prelude.variables.values());
        let variables: Vec<_> = of_prelude.chain(program.variables.values()).collect();
        place(&variables)?;
        self.hoisted.as_ref().map_or_else(|| Ok(Vec::new()), Hoisted::values)
    }

    /// Computes the outputs; `done` is told of each region and its time.
    pub(super) fn compute(
        &self,
        program: &Program,
        inputs: &[Arc<HostValue>],
        done: &mut dyn FnMut(usize, Duration),
    ) -> Result<Vec<Arc<HostValue>>> {
        let hoisted = self.warm_up(program)?;
        let mut values: Values = vec![None; program.nodes.len()];
        for (&id, value) in &self.constants {
            values[id] = Some(Arc::clone(value));
        }
        for (id, node) in program.nodes.iter().enumerate() {
            let value = match &node.op {
                Op::Input(input) => inputs.get(input.index).cloned(),
                Op::Read(read) => program.variables.get(&read.id).map(resident).transpose()?,
                Op::Hoisted(value) => hoisted.get(value.index).cloned(),
                _ => continue,
            };
            let missing = || Error::Internal(format!("no value for the leaf %{id}"));
            values[id] = Some(value.ok_or_else(missing)?);
        }
        for (i, (region, dead)) in self.regions.regions.iter().zip(&self.dead).enumerate() {
            let scope = || program.nodes[region.root].scope.to_string();
            let start = Instant::now();
            match self.loops.get(&region.root) {
                Some(inner) => inner.run(program, region.root, &mut values).at(scope)?,
                None => {
                    let value = self.region(program, region, &values).at(scope)?;
                    values[region.root] = Some(Arc::new(HostValue::new(value)));
                }
            }
            done(i, start.elapsed());
            dead.iter().filter_map(|&id| values[id].take()).for_each(|v| self.memory.give(v));
        }
        let output = |&id: &NodeId| {
            let value = values[storage_of(program, id)].clone();
            let value = value.ok_or_else(|| Error::Internal(format!("output %{id} is missing")))?;
            let spec = program.nodes[id].spec.clone();
            if value.spec == spec {
                return Ok(value);
            }
            Ok(Arc::new(HostValue::new(Array { spec, words: value.words.clone() })))
        };
        program.outputs.iter().map(output).collect()
    }
}

impl Hoisted {
    fn values(&self) -> Result<Vec<Arc<HostValue>>> {
        let mut variables: Vec<&Variable> = self.program.variables.values().collect();
        variables.sort_by_key(|v| v.id());
        let versions: Vec<u64> = variables.into_iter().map(Variable::version).collect();
        // Not locked while it is computed: a thread that waits may take up another run, which asks
        // for the same.
        let known = self.computed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, values)) = known.filter(|(known, _)| *known == versions) {
            return Ok(values);
        }
        let values = self.plan.compute(&self.program, &[], &mut |_, _| ())?;
        let mut computed = self.computed.lock().unwrap_or_else(PoisonError::into_inner);
        *computed = Some((versions, values.clone()));
        Ok(values)
    }
}

/// The stored values that each region is the last to read.
fn dead_after(program: &Program, regions: &Regions) -> Vec<Vec<NodeId>> {
    let kept: Vec<NodeId> = program.outputs.iter().map(|&id| storage_of(program, id)).collect();
    let used = last_uses(&program.nodes, &program.outputs);
    let mut seen: HashSet<NodeId> = HashSet::new();
    let mut dead: Vec<Vec<NodeId>> = regions
        .regions
        .iter()
        .rev()
        .map(|region| {
            let last: Vec<NodeId> = memory::reads(program, region)
                .into_iter()
                .filter(|id| used[*id].is_some() && !seen.contains(id) && !kept.contains(id))
                .collect();
            seen.extend(&last);
            last
        })
        .collect();
    dead.reverse();
    dead
}

impl HostPlan {
    fn region(&self, program: &Program, region: &Region, values: &Values) -> Result<Array> {
        let memory = &self.memory;
        let value = |id: NodeId| -> Result<&HostValue> {
            let stored = storage_of(program, id);
            let missing = || Error::Internal(format!("value %{stored} is missing"));
            values[stored].as_deref().ok_or_else(missing)
        };
        let operands = |ids: &[NodeId]| -> Result<Vec<Operand<'_>>> {
            ids.iter().map(|&id| value(id).map(HostValue::operand)).collect()
        };
        let spec = program.nodes[region.root].spec.clone();
        let own = operands(&region.body.operands)?;
        if region.kind == RegionKind::Map {
            return host_body::map(&region.body, &own, memory.array(spec));
        }
        let behind = Behind::new(&region.body, &own)?;
        let words = match region.kind {
            RegionKind::Reduce { anchor } => {
                let prologue = region.prologue.as_ref();
                let prologue = prologue
                    .ok_or_else(|| Error::Internal("a reduction without elements".into()))?;
                let combined = host_reduce::reduce(
                    &program.nodes[anchor].op,
                    (prologue, &operands(&prologue.operands)?),
                    memory.array(program.nodes[anchor].spec.clone()),
                    lower::reduced_len(program, anchor),
                )?;
                let mut words = combined.words.into_bits();
                behind.apply_to_all(&mut words);
                words
            }
            RegionKind::Kernel { anchor } => {
                let node = &program.nodes[anchor];
                let mut inputs = memory::kernel_inputs(program, region, anchor)
                    .iter()
                    .map(|&id| value(id).map(|v| (&program.nodes[id].spec, v)))
                    .collect::<Result<Vec<_>>>()?;
                let unpacked = match (&region.prologue, node.inputs.get(1)) {
                    (Some(prologue), Some(&id)) => {
                        let spec = &program.nodes[id].spec;
                        let code = (prologue, &*operands(&prologue.operands)?);
                        let place = (program, region.root);
                        Some((spec, self.unpacked.get(place, code, spec, memory)?))
                    }
                    _ => None,
                };
                inputs.extend(unpacked.as_ref().map(|(spec, right)| (*spec, right.value())));
                let words = host_kernels::compute(&node.op, &inputs, &node.spec, &behind, memory)?;
                unpacked.into_iter().for_each(|(_, right)| right.done(memory));
                words
            }
            RegionKind::Rows | RegionKind::Attention { .. } => {
                return Err(Error::Internal("a region of a device on the host".into()));
            }
            RegionKind::Map | RegionKind::Loop => {
                return Err(Error::Internal("a loop without a plan".into()));
            }
        };
        Ok(Array { words: Words::from_bits(spec.dtype.lane(), words), spec })
    }
}
