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
use crate::runtime::host_body::{self, Operand};
use crate::runtime::host_loop::HostLoop;
use crate::runtime::{host_kernels, lower};
use crate::tensor::{Array, Resident, Tensor, Variable};

/// A program on the host.
pub struct HostPlan {
    regions: Regions,
    constants: HashMap<NodeId, Arc<Array>>,
    /// For each region, the stored values that nobody reads after it.
    dead: Vec<Vec<NodeId>>,
    hoisted: Option<Hoisted>,
    loops: HashMap<NodeId, HostLoop>,
}

struct Hoisted {
    plan: Box<HostPlan>,
    program: Box<Program>,
    computed: Mutex<Option<Computed>>,
}

/// The versions of the variables, and the values computed from them.
type Computed = (Vec<u64>, Vec<Arc<Array>>);

/// A variable's elements in host memory, in their lane.
struct HostResident(Arc<Array>);

impl Source for HostResident {
    fn spec(&self) -> &Spec {
        &self.0.spec
    }

    fn read(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
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
pub fn resident(variable: &Variable) -> Result<Arc<Array>> {
    if let Some(there) = on_host(variable) {
        return Ok(there);
    }
    place(&[variable])?;
    on_host(variable).ok_or_else(|| {
        Error::Internal(format!("variable '{}' was moved while it was read", variable.name()))
    })
}

/// The elements of a variable that is in host memory.
fn on_host(variable: &Variable) -> Option<Arc<Array>> {
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
    let read = |variable: &&Variable| {
        let source = variable.source();
        let array = Array::read(source.as_ref()).at(|| title(variable))?;
        Ok((source, array))
    };
    let read: Vec<_> = missing.par_iter().map(read).collect::<Result<_>>()?;
    for (variable, (source, _)) in missing.iter().zip(&read) {
        source.check().at(|| title(variable))?;
    }
    for (variable, (_, array)) in missing.iter().zip(read) {
        variable.set_resident(Arc::new(HostResident(Arc::new(array))));
    }
    Ok(())
}

fn title(variable: &Variable) -> String {
    format!("variable '{}'", variable.name())
}

impl HostPlan {
    pub fn new(program: &Program, options: &Options) -> Result<HostPlan> {
        let regions = fuse::run(program, options.has(Pass::Fuse))?;
        let mut constants = HashMap::new();
        for (id, node) in program.nodes.iter().enumerate().filter(|(id, _)| regions.stored[*id]) {
            if let Op::Constant(constant) = &node.op {
                constants.insert(id, Arc::new(constant.tensor.to_array()?));
            }
        }
        let hoisted = match &program.prelude {
            Some(prelude) => Some(Hoisted {
                plan: Box::new(HostPlan::new(prelude, options)?),
                program: prelude.clone(),
                computed: Mutex::new(None),
            }),
            None => None,
        };
        let dead = dead_after(program, &regions);
        let loops = regions.loops.iter().map(|(&id, plan)| {
            let inner = HostLoop::new(&plan.op, options)?;
            Ok((id, inner))
        });
        let loops = loops.collect::<Result<_>>()?;
        Ok(HostPlan { regions, constants, dead, hoisted, loops })
    }

    /// Computes the returned outputs.
    pub fn run(&self, program: &Program, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let inputs =
            inputs.iter().map(|t| t.to_array().map(Arc::new)).collect::<Result<Vec<_>>>()?;
        let outputs = self.compute(program, &inputs, &mut |_, _| ())?;
        for (variable, position) in &program.assigns {
            variable.set_resident(Arc::new(HostResident(outputs[*position].clone())));
            variable.touch();
        }
        Ok(outputs[..program.returned()].iter().map(|array| array.to_tensor()).collect())
    }

    /// Computes the outputs, sets no variable, and gives the position of each region and its time.
    pub fn run_timed(
        &self,
        program: &Program,
        inputs: &[Tensor],
    ) -> Result<Vec<(usize, Duration)>> {
        let inputs =
            inputs.iter().map(|t| t.to_array().map(Arc::new)).collect::<Result<Vec<_>>>()?;
        let mut times = Vec::new();
        self.compute(program, &inputs, &mut |region, time| times.push((region, time)))?;
        Ok(times)
    }

    /// Reads the variables that are not there yet; gives what depends on variables only.
    pub fn warm_up(&self, program: &Program) -> Result<Vec<Arc<Array>>> {
        let of_prelude = program.prelude.iter().flat_map(|prelude| prelude.variables.values());
        let variables: Vec<_> = of_prelude.chain(program.variables.values()).collect();
        place(&variables)?;
        self.hoisted.as_ref().map_or_else(|| Ok(Vec::new()), Hoisted::values)
    }

    /// Computes the outputs; `done` is told of each region and its time.
    pub(super) fn compute(
        &self,
        program: &Program,
        inputs: &[Arc<Array>],
        done: &mut dyn FnMut(usize, Duration),
    ) -> Result<Vec<Arc<Array>>> {
        let hoisted = self.warm_up(program)?;
        let mut values: HashMap<NodeId, Arc<Array>> = self.constants.clone();
        for (id, node) in program.nodes.iter().enumerate() {
            let value = match &node.op {
                Op::Input(input) => inputs.get(input.index).cloned(),
                Op::Read(read) => program.variables.get(&read.id).map(resident).transpose()?,
                Op::Hoisted(value) => hoisted.get(value.index).cloned(),
                _ => continue,
            };
            let missing = || Error::Internal(format!("no value for the leaf %{id}"));
            values.insert(id, value.ok_or_else(missing)?);
        }
        for (i, (region, dead)) in self.regions.regions.iter().zip(&self.dead).enumerate() {
            let scope = || program.nodes[region.root].scope.to_string();
            let start = Instant::now();
            match self.loops.get(&region.root) {
                Some(inner) => inner.run(program, region.root, &mut values).at(scope)?,
                None => {
                    let value = compute(program, region, &values).at(scope)?;
                    values.insert(region.root, Arc::new(value));
                }
            }
            done(i, start.elapsed());
            dead.iter().for_each(|id| {
                values.remove(id);
            });
        }
        let output = |&id: &NodeId| {
            let value = values.get(&storage_of(program, id)).cloned();
            let array = value.ok_or_else(|| Error::Internal(format!("output %{id} is missing")))?;
            let spec = program.nodes[id].spec.clone();
            if array.spec == spec {
                return Ok(array);
            }
            Ok(Arc::new(Array { spec, words: array.words.clone() }))
        };
        program.outputs.iter().map(output).collect()
    }
}

impl Hoisted {
    fn values(&self) -> Result<Vec<Arc<Array>>> {
        let mut variables: Vec<&Variable> = self.program.variables.values().collect();
        variables.sort_by_key(|v| v.id());
        let versions: Vec<u64> = variables.into_iter().map(Variable::version).collect();
        let mut computed = self.computed.lock().unwrap_or_else(PoisonError::into_inner);
        match &*computed {
            Some((known, values)) if *known == versions => Ok(values.clone()),
            _ => {
                let values = self.plan.compute(&self.program, &[], &mut |_, _| ())?;
                *computed = Some((versions, values.clone()));
                Ok(values)
            }
        }
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

fn compute(
    program: &Program,
    region: &Region,
    values: &HashMap<NodeId, Arc<Array>>,
) -> Result<Array> {
    let array = |id: NodeId| -> Result<&Array> {
        let stored = storage_of(program, id);
        let missing = || Error::Internal(format!("value %{stored} is missing"));
        values.get(&stored).map(AsRef::as_ref).ok_or_else(missing)
    };
    let operands = |ids: &[NodeId]| -> Result<Vec<Operand<'_>>> {
        ids.iter().map(|&id| array(id).map(Operand::new)).collect()
    };
    let spec = program.nodes[region.root].spec.clone();
    let body = (&region.body, operands(&region.body.operands)?);
    match region.kind {
        RegionKind::Map => host_body::map(body.0, &body.1, spec),
        RegionKind::Reduce { anchor } => {
            let prologue = region.prologue.as_ref();
            let prologue =
                prologue.ok_or_else(|| Error::Internal("a reduction without elements".into()))?;
            let combined = host_body::reduce(
                &program.nodes[anchor].op,
                (prologue, &operands(&prologue.operands)?),
                program.nodes[anchor].spec.clone(),
                lower::reduced_len(program, anchor),
            )?;
            host_body::behind(body.0, &body.1, combined, spec)
        }
        RegionKind::Kernel { anchor } => {
            let node = &program.nodes[anchor];
            let mut inputs = memory::kernel_inputs(program, region, anchor)
                .iter()
                .map(|&id| array(id).map(|a| (&program.nodes[id].spec, a)))
                .collect::<Result<Vec<_>>>()?;
            let unpacked = match (&region.prologue, node.inputs.get(1)) {
                (Some(prologue), Some(&id)) => {
                    let spec = &program.nodes[id].spec;
                    let operands = operands(&prologue.operands)?;
                    Some((spec, host_body::map(prologue, &operands, spec.clone())?))
                }
                _ => None,
            };
            inputs.extend(unpacked.as_ref().map(|(spec, array)| (*spec, array)));
            let result = host_kernels::compute(&node.op, &inputs, &node.spec)?;
            host_body::behind(body.0, &body.1, result, spec)
        }
        RegionKind::Rows => Err(Error::Internal("a region of rows on the host".into())),
        RegionKind::Loop => Err(Error::Internal("a loop without a plan".into())),
    }
}
