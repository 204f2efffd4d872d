//! Gives stored values their buffers, which values use in turn that are not alive together.
//!
//! A buffer holds one value at a time: a kernel that reads one part of a buffer may not write another.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use crate::graph::NodeId;
use crate::program::Program;
use crate::program::pass::assign::storage_of;
use crate::program::pass::fuse::Regions;
use crate::program::region::{Region, RegionKind};

/// Where the stored values of a plan live.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    /// Bytes of each slot.
    pub bytes: Vec<usize>,
    /// Slot of each value that is neither a leaf nor an output.
    pub of: HashMap<NodeId, usize>,
    /// Largest sum of values alive at one time, in bytes.
    pub peak_live: usize,
    /// Slots of the values inside of loops, by their loop. A loop's carries have buffers of their
    /// own.
    pub loops: HashMap<NodeId, Slots>,
}

/// A value that needs a slot, and the regions by which it is alive: from the one that stores it to the
/// last that reads it.
struct Life {
    id: NodeId,
    bytes: usize,
    first: usize,
    last: usize,
}

/// Assigns slots. Without `reuse`, every value has its own.
pub fn run(program: &Program, regions: &Regions, reuse: bool) -> Slots {
    let lives = lives(program, &regions.regions);
    let mut slots = assign(&lives, reuse);
    slots.peak_live = peak(program, &regions.regions, &lives);
    for (&id, plan) in &regions.loops {
        let inner = run(&plan.program, &plan.regions, reuse);
        slots.loops.insert(id, inner);
    }
    slots
}

/// The values between regions; outputs have buffers of their own.
fn lives(program: &Program, regions: &[Region]) -> Vec<Life> {
    let last = last_reads(program, regions);
    let outputs: HashSet<NodeId> =
        program.outputs.iter().map(|&id| storage_of(program, id)).collect();
    let mut lives = Vec::new();
    for (first, region) in regions.iter().enumerate() {
        let inner = region.stores(program).into_iter().filter(|id| !outputs.contains(id));
        lives.extend(inner.map(|id| {
            // A value nobody reads is dead at once.
            let last = last.get(&id).copied().unwrap_or(first);
            Life { id, bytes: words(program, id), first, last }
        }));
    }
    lives
}

impl Life {
    /// In how many regions it is alive.
    fn span(&self) -> usize {
        self.last - self.first + 1
    }
}

/// What values are sorted by.
type Order = dyn Fn(&Life) -> (Reverse<usize>, usize);

/// The tightest of several greedy assignments: none of them is best for all programs. (Turning places in
/// the order of the best one found nothing better for networks of the applications.)
fn assign(lives: &[Life], reuse: bool) -> Slots {
    let orders: [&Order; 4] = [
        // No slot is larger than the values that need it.
        &|life| (Reverse(life.bytes), life.id),
        &|life| (Reverse(life.bytes.saturating_mul(life.span())), life.id),
        &|life| (Reverse(life.span()), life.id),
        // As they come.
        &|life| (Reverse(0), life.first),
    ];
    let assigned = orders.iter().map(|order| {
        let mut lives: Vec<&Life> = lives.iter().collect();
        lives.sort_by_key(|life| order(life));
        assign_in_order(&lives, reuse)
    });
    assigned.min_by_key(|slots| slots.bytes.iter().sum::<usize>()).unwrap_or_default()
}

/// Each value chooses the slot that grows least for it, and of those the smallest.
fn assign_in_order(lives: &[&Life], reuse: bool) -> Slots {
    let mut slots = Slots::default();
    // For each slot, the lives in it by their first region.
    let mut taken: Vec<BTreeMap<usize, usize>> = Vec::new();
    for life in lives {
        let free = (0..taken.len()).filter(|&slot| reuse && is_free(&taken[slot], life));
        let growth = |slot: &usize| {
            let bytes = slots.bytes[*slot];
            (life.bytes.saturating_sub(bytes), bytes)
        };
        let slot = free.min_by_key(growth).unwrap_or(taken.len());
        if slot == taken.len() {
            taken.push(BTreeMap::new());
            slots.bytes.push(0);
        }
        slots.bytes[slot] = slots.bytes[slot].max(life.bytes);
        taken[slot].insert(life.first, life.last);
        slots.of.insert(life.id, slot);
    }
    slots
}

/// Whether no life in a slot meets another one.
fn is_free(taken: &BTreeMap<usize, usize>, life: &Life) -> bool {
    let before = taken.range(..=life.last).next_back();
    before.is_none_or(|(_, &last)| last < life.first)
}

/// Largest sum of values alive at one time, outputs from the region on that stores them.
fn peak(program: &Program, regions: &[Region], lives: &[Life]) -> usize {
    let mut begins = vec![0; regions.len() + 1];
    let mut ends = vec![0; regions.len() + 1];
    for life in lives {
        begins[life.first] += life.bytes;
        ends[life.last] += life.bytes;
    }
    let inner: HashSet<NodeId> = lives.iter().map(|life| life.id).collect();
    let (mut live, mut peak) = (0, 0);
    for (step, region) in regions.iter().enumerate() {
        let outputs = region.stores(program).into_iter().filter(|id| !inner.contains(id));
        live += begins[step] + outputs.map(|id| words(program, id)).sum::<usize>();
        peak = peak.max(live);
        live -= ends[step];
    }
    peak
}

/// Every stored value a region reads, each once.
pub fn reads(program: &Program, region: &Region) -> Vec<NodeId> {
    let mut all = region.operands();
    let own = match region.kind {
        RegionKind::Kernel { anchor } => kernel_inputs(program, region, anchor).to_vec(),
        RegionKind::Attention { anchor } => attended(program, region, anchor),
        RegionKind::Loop => program.nodes[region.root].inputs.to_vec(),
        RegionKind::Map | RegionKind::Reduce { .. } | RegionKind::Rows => Vec::new(),
    };
    for input in own {
        let id = storage_of(program, input);
        if !all.contains(&id) {
            all.push(id);
        }
    }
    all
}

/// The operands that a region's kernel reads from buffers as they are: all of them, but for the right
/// one of a product that computes it.
pub fn kernel_inputs<'a>(program: &'a Program, region: &Region, anchor: NodeId) -> &'a [NodeId] {
    let inputs = &program.nodes[anchor].inputs;
    if region.prologue.is_some() { &inputs[..1] } else { inputs }
}

/// Queries, keys and values of an attention.
pub fn attended(program: &Program, region: &Region, anchor: NodeId) -> Vec<NodeId> {
    let scored = region.attention.iter().flat_map(|plan| &program.nodes[plan.scored].inputs);
    scored.copied().chain([program.nodes[anchor].inputs[1]]).collect()
}

fn last_reads(program: &Program, regions: &[Region]) -> HashMap<NodeId, usize> {
    let steps = regions.iter().enumerate();
    steps.flat_map(|(step, r)| reads(program, r).into_iter().map(move |id| (id, step))).collect()
}

/// Bytes of a value on a device: one word per element.
fn words(program: &Program, id: NodeId) -> usize {
    program.nodes[id].spec.shape.len() * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_share_a_slot_when_they_do_not_meet() {
        let life = |id, bytes, first, last| Life { id, bytes, first, last };
        let lives = [life(0, 90, 0, 1), life(1, 400, 1, 2), life(2, 500, 3, 4), life(3, 10, 2, 3)];
        let slots = assign(&lives, true);
        assert_eq!(slots.bytes, [500, 90]);
        assert_eq!([0, 1, 2, 3].map(|id| slots.of[&id]), [1, 0, 0, 1]);
        assert_eq!(assign(&lives, false).bytes.len(), 4);
    }
}
