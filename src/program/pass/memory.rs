//! Gives stored values their buffers: a linear scan that uses a slot again when its value is dead.

use std::collections::HashMap;

use crate::graph::NodeId;
use crate::program::Program;
use crate::program::pass::assign::storage_of;
use crate::program::pass::fuse::Regions;
use crate::program::region::{Region, RegionKind};

/// A slot may be larger than the value by this part of the value.
const WASTE: usize = 4;

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

/// Assigns slots. Without `reuse`, every value has its own.
pub fn run(program: &Program, regions: &Regions, reuse: bool) -> Slots {
    let last = last_reads(program, &regions.regions);
    let outputs: Vec<NodeId> = program.outputs.iter().map(|&id| storage_of(program, id)).collect();
    let mut slots = Slots::default();
    let mut free: Vec<usize> = Vec::new();
    let mut live = 0;
    for (step, region) in regions.regions.iter().enumerate() {
        let stores = region.stores(program);
        for &id in &stores {
            let bytes = words(program, id);
            live += bytes;
            if !outputs.contains(&id) {
                let slot = take(&mut free, &mut slots.bytes, bytes);
                slots.of.insert(id, slot);
            }
        }
        slots.peak_live = slots.peak_live.max(live);
        for id in reads(program, region).into_iter().filter(|id| last.get(id) == Some(&step)) {
            if let Some(&slot) = slots.of.get(&id) {
                live -= words(program, id);
                if reuse {
                    free.push(slot);
                }
            }
        }
        // A value nobody reads is dead at once.
        for id in stores.into_iter().filter(|id| !last.contains_key(id)) {
            if let Some(&slot) = slots.of.get(&id) {
                live -= words(program, id);
                if reuse {
                    free.push(slot);
                }
            }
        }
    }
    for (&id, plan) in &regions.loops {
        let inner = run(&plan.program, &plan.regions, reuse);
        slots.loops.insert(id, inner);
    }
    slots
}

/// The best free slot, or a new one.
fn take(free: &mut Vec<usize>, sizes: &mut Vec<usize>, bytes: usize) -> usize {
    let fits = |&slot: &usize| sizes[slot] >= bytes && sizes[slot] <= bytes + bytes / WASTE;
    let best = free.iter().copied().filter(fits).min_by_key(|&slot| sizes[slot]);
    match best {
        Some(slot) => {
            free.retain(|&other| other != slot);
            slot
        }
        None => {
            // A free slot that is too small grows: the sum is what counts, not the number.
            let small =
                free.iter().copied().filter(|&s| sizes[s] < bytes).max_by_key(|&s| sizes[s]);
            if let Some(slot) = small {
                free.retain(|&other| other != slot);
                sizes[slot] = bytes;
                return slot;
            }
            sizes.push(bytes);
            sizes.len() - 1
        }
    }
}

/// Every stored value a region reads, each once.
pub fn reads(program: &Program, region: &Region) -> Vec<NodeId> {
    let mut all = region.operands();
    let own = match region.kind {
        RegionKind::Kernel { anchor } => kernel_inputs(program, region, anchor),
        RegionKind::Loop => &program.nodes[region.root].inputs,
        RegionKind::Map | RegionKind::Reduce { .. } | RegionKind::Rows => &[],
    };
    for &input in own {
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
    fn a_free_slot_is_taken_before_a_new_one() {
        let (mut free, mut sizes) = (vec![0, 1], vec![100, 400]);
        assert_eq!(take(&mut free, &mut sizes, 90), 0);
        assert_eq!(take(&mut free, &mut sizes, 500), 1);
        assert_eq!(sizes, [100, 500]);
        assert_eq!(take(&mut free, &mut sizes, 10), 2);
    }
}
