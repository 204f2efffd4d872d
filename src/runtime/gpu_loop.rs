//! A loop on a GPU: its regions recorded once for each turn, on buffers that take turns.
//!
//! A step reads the carries where the step before wrote them and writes the next ones into another
//! buffer, so that no dispatch writes what it reads. The first step reads the values that the loop was
//! given. The last step writes the buffer of the result.

use std::collections::HashMap;

use crate::base::{DType, Error, Result};
use crate::gpu::{Buffer, Gpu, Loop, Step, Work};
use crate::graph::{NodeId, Op};
use crate::kernels::{Access, Rows};
use crate::program::LoopPlan;
use crate::program::pass::memory::Slots;
use crate::program::pass::storage_of;
use crate::program::region::Region;
use crate::runtime::gpu_plan::{placed, upload};
use crate::runtime::lower::{Lowered, lower};

/// What a loop works on.
pub struct Given {
    pub inputs: Vec<Buffer>,
    /// By position among the results; those that nobody reads have none.
    pub results: HashMap<usize, Buffer>,
}

/// A loop, ready to be recorded.
pub struct Recorded {
    pub work: Loop,
    /// Bytes of buffers that were made for it.
    pub scratch_bytes: u64,
}

/// Lowers the regions of a loop and gives them their buffers.
///
/// # Errors
/// As [`lower`], and when the device has no memory left.
pub fn record(gpu: &Gpu, plan: &LoopPlan, slots: &Slots, given: Given) -> Result<Recorded> {
    plan.check()?;
    let mut body = Body::new(gpu, plan, slots, given)?;
    let mut parts = Vec::with_capacity(plan.regions.regions.len());
    for region in &plan.regions.regions {
        parts.push(match plan.regions.loops.get(&region.root) {
            None => Part::Step(region.root, plan.lower(region, gpu)?),
            Some(inner) => Part::Loop(body.inner(inner, region.root, slots)?),
        });
    }
    let work = |turn: usize| {
        let work = |part: &Part| match part {
            Part::Step(root, lowered) => Ok(Work::Step(body.step(*root, lowered, turn)?)),
            Part::Loop(inner) => Ok(Work::Loop(inner.clone())),
        };
        parts.iter().map(work).collect::<Result<Vec<Work>>>()
    };
    let turns = [work(0)?, work(1)?, work(2)?];
    let work = Loop { steps: plan.op.steps, turns };
    Ok(Recorded { work, scratch_bytes: body.scratch_bytes })
}

enum Part {
    Step(NodeId, Lowered),
    Loop(Loop),
}

impl LoopPlan {
    /// Refuses rows at positions that shaders cannot count to.
    fn check(&self) -> Result<()> {
        let body = &self.op.body;
        let outputs = self.op.outputs.iter().map(|output| &body.nodes[output.value].spec);
        for spec in body.inputs[..body.sequences].iter().chain(outputs) {
            let len = spec.shape.len().saturating_mul(self.op.steps);
            if i32::try_from(len).is_err() {
                return Err(Error::Limit {
                    what: format!("a loop over {} rows of {spec}", self.op.steps),
                    need: format!("{len} elements"),
                    limit: i32::MAX.to_string(),
                    owner: "32-bit indices on devices".into(),
                });
            }
        }
        Ok(())
    }

    fn lower(&self, region: &Region, gpu: &Gpu) -> Result<Lowered> {
        let dtype_of = |id: NodeId| -> DType { self.program.nodes[id].spec.dtype };
        let rows_of = |id: NodeId| self.rows_of(storage_of(&self.program, id));
        let stores = self.stores.get(&region.root).copied().unwrap_or_default();
        let mut places = Vec::with_capacity(2);
        if let Some(output) = stores.output {
            places.push(Some(self.rows(region.root, self.op.outputs[output].reversed)));
        }
        if stores.output.is_none() || stores.places() > 1 {
            places.push(None);
        }
        // Everything in a loop is words.
        let is_packed = &|_| false;
        let access = Access { dtype_of: &dtype_of, rows_of: &rows_of, places, is_packed };
        lower(&self.program, region, gpu.caps(), &access)
    }

    /// The rows in which a stored value lies; `None` for one with a buffer of its own.
    fn rows_of(&self, id: NodeId) -> Option<Rows> {
        match &self.program.nodes[id].op {
            Op::Input(input) => {
                let reversed = *self.op.reversed.get(input.index)?;
                Some(self.rows(id, reversed))
            }
            _ => {
                let stores = self.stores.get(&id).filter(|stores| stores.places() == 1)?;
                Some(self.rows(id, self.op.outputs[stores.output?].reversed))
            }
        }
    }

    fn rows(&self, id: NodeId, reversed: bool) -> Rows {
        let len = self.program.nodes[id].spec.shape.len() as i32;
        let first = self.op.row(reversed, 0) as i32 * len;
        Rows { first, by: if reversed { -len } else { len } }
    }
}

/// The buffers of a body.
struct Body<'a> {
    gpu: &'a Gpu,
    plan: &'a LoopPlan,
    /// The loop's inputs.
    inputs: Vec<Buffer>,
    /// The stacked outputs.
    outputs: Vec<Buffer>,
    /// What even steps, counted from the last, and odd ones leave of each carry.
    carries: Vec<[Buffer; 2]>,
    /// Values that are the same buffer in every step: slots, constants.
    of: HashMap<NodeId, Buffer>,
    scratch_bytes: u64,
}

impl<'a> Body<'a> {
    fn new(gpu: &'a Gpu, plan: &'a LoopPlan, slots: &Slots, mut given: Given) -> Result<Body<'a>> {
        let (inputs, of) = (given.inputs, HashMap::new());
        let (outputs, carries) = (Vec::new(), Vec::new());
        let mut body = Body { gpu, plan, inputs, outputs, carries, of, scratch_bytes: 0 };
        for (index, spec) in plan.op.results().into_iter().enumerate() {
            let result = match given.results.remove(&index) {
                Some(result) => result,
                None => body.scratch(spec.shape.len())?,
            };
            if index < plan.op.outputs.len() {
                body.outputs.push(result);
            } else {
                let other = body.scratch(spec.shape.len())?;
                body.carries.push([result, other]);
            }
        }
        body.slots(slots)?;
        Ok(body)
    }

    /// Allocates slots, values with a buffer of their own, and constants.
    fn slots(&mut self, slots: &Slots) -> Result<()> {
        let words = slots.bytes.iter().map(|&bytes| self.scratch(bytes / 4));
        let scratch = words.collect::<Result<Vec<Buffer>>>()?;
        let nodes = &self.plan.program.nodes;
        for (&id, place) in &slots.of {
            self.of.insert(id, placed(&scratch, place, nodes[id].spec.shape.len())?);
        }
        for (&id, _) in self.plan.stores.iter().filter(|(_, stores)| stores.whole) {
            let buffer = self.scratch(nodes[id].spec.shape.len())?;
            self.of.insert(id, buffer);
        }
        for (id, node) in nodes.iter().enumerate().filter(|(id, _)| self.plan.regions.stored[*id]) {
            if let Op::Constant(constant) = &node.op {
                let words = constant.tensor.to_array()?;
                self.of.insert(id, upload(self.gpu, words.word_bytes(), "constant")?);
            }
        }
        Ok(())
    }

    fn scratch(&mut self, words: usize) -> Result<Buffer> {
        let buffer = self.gpu.create_buffer(words as u64 * 4, "scratch of a loop")?;
        self.scratch_bytes += buffer.bytes();
        Ok(buffer)
    }

    /// Which of the two buffers of a carry a turn writes.
    fn written(&self, turn: usize) -> usize {
        let last = self.plan.op.steps.saturating_sub(1);
        match turn {
            0 => last % 2,
            turn => turn - 1,
        }
    }

    /// Where a turn finds a stored value.
    fn get(&self, id: NodeId, turn: usize) -> Result<Buffer> {
        let id = storage_of(&self.plan.program, id);
        let body = &self.plan.op.body;
        let stores = self.plan.stores.get(&id).copied().unwrap_or_default();
        let found = match &self.plan.program.nodes[id].op {
            Op::Input(input) => match input.index.checked_sub(body.sequences) {
                Some(k) if turn > 0 && k < body.carries() => {
                    Some(&self.carries[k][1 - self.written(turn)])
                }
                _ => self.inputs.get(input.index),
            },
            _ => match (stores.carry, stores.output) {
                (Some(carry), _) => Some(&self.carries[carry][self.written(turn)]),
                (None, Some(output)) if !stores.whole => self.outputs.get(output),
                _ => self.of.get(&id),
            },
        };
        found.cloned().ok_or_else(|| Error::Internal(format!("value %{id} has no buffer")))
    }

    fn step(&self, root: NodeId, lowered: &Lowered, turn: usize) -> Result<Step> {
        let reads = lowered.reads.iter().map(|&id| self.get(id, turn));
        let mut buffers = reads.collect::<Result<Vec<Buffer>>>()?;
        let stores = self.plan.stores.get(&root).copied().unwrap_or_default();
        let row = stores.output.map(|output| self.outputs[output].clone());
        let whole = match stores.output.is_none() || stores.places() > 1 {
            true => Some(self.get(root, turn)?),
            false => None,
        };
        let first = lowered.launch.first_output;
        buffers.splice(first..first, row.into_iter().chain(whole));
        Ok(Step { launch: lowered.launch.clone(), buffers })
    }

    /// A loop inside: what it works on is the same in every turn.
    fn inner(&mut self, plan: &LoopPlan, id: NodeId, slots: &Slots) -> Result<Loop> {
        let program = &self.plan.program;
        let inputs = program.nodes[id].inputs.iter().map(|&i| self.get(i, 0));
        let inputs = inputs.collect::<Result<Vec<Buffer>>>()?;
        let results = program.results_of(id).into_iter();
        let results = results.map(|(index, id)| Ok((index, self.get(id, 0)?)));
        let results = results.collect::<Result<HashMap<usize, Buffer>>>()?;
        let slots = slots.loops.get(&id);
        let slots = slots.ok_or_else(|| Error::Internal("a loop without slots".into()))?;
        let recorded = record(self.gpu, plan, slots, Given { inputs, results })?;
        self.scratch_bytes += recorded.scratch_bytes;
        Ok(recorded.work)
    }
}
