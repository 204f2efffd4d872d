//! Gives stored values their places in buffers, which values use in turn that are not alive together.
//!
//! A slot holds several values at a time. It holds none that a region stores together with one that the
//! region reads, if that takes little more memory: only then may its kernel rely on what it reads.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use crate::base::shape::BINDING_ALIGNMENT;
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
    /// Place of each value that is neither a leaf nor an output.
    pub of: HashMap<NodeId, Place>,
    /// Largest sum of values alive at one time, in bytes.
    pub peak_live: usize,
    /// Slots of the values inside of loops, by their loop. A loop's carries have buffers of their
    /// own.
    pub loops: HashMap<NodeId, Slots>,
}

/// Where a value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the slot.
    pub slot: usize,
    /// The value's first byte in it, a multiple of [`BINDING_ALIGNMENT`].
    pub offset: usize,
}

/// A value that needs a place, and the regions by which it is alive: from the one that stores it to the
/// last that reads it.
struct Life {
    id: NodeId,
    bytes: usize,
    first: usize,
    last: usize,
    /// Values that may not lie in the same slot.
    apart: HashSet<NodeId>,
}

/// Assigns places in slots of at most `most` bytes, but for values that are larger. Without it, every
/// value has a slot of its own.
pub fn run(program: &Program, regions: &Regions, most: Option<usize>) -> Slots {
    let lives = lives(program, &regions.regions);
    let mut slots = assign(&lives, most);
    slots.peak_live = peak(program, &regions.regions, &lives);
    for (&id, plan) in &regions.loops {
        let inner = run(&plan.program, &plan.regions, most);
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
    let mut apart: HashMap<NodeId, HashSet<NodeId>> = HashMap::new();
    for (first, region) in regions.iter().enumerate() {
        let stores = region.stores(program);
        let reads = reads(program, region);
        for &id in &stores {
            let others = stores.iter().filter(|&&other| other != id).chain(&reads);
            for &other in others {
                apart.entry(id).or_default().insert(other);
                apart.entry(other).or_default().insert(id);
            }
        }
        let inner = stores.into_iter().filter(|id| !outputs.contains(id));
        lives.extend(inner.map(|id| {
            // A value nobody reads is dead at once.
            let last = last.get(&id).copied().unwrap_or(first);
            Life { id, bytes: words(program, id), first, last, apart: HashSet::new() }
        }));
    }
    for life in &mut lives {
        life.apart = apart.remove(&life.id).unwrap_or_default();
    }
    lives
}

impl Life {
    /// In how many regions it is alive.
    fn span(&self) -> usize {
        self.last - self.first + 1
    }

    /// Whether both are alive in some region.
    fn meets(&self, other: &Life) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// What values are sorted by.
type Order = dyn Fn(&Life) -> (Reverse<usize>, usize);

/// Values that are stored lie beside such that are read meanwhile, if they would take more than eleven
/// tenths of this memory apart.
const WORTH_SHARING: [usize; 2] = [10, 11];

/// The tightest of several greedy assignments: none of them is best for all programs.
fn assign(lives: &[Life], most: Option<usize>) -> Slots {
    let orders: [&Order; 4] = [
        // No slot is larger than the values that need it.
        &|life| (Reverse(life.bytes), life.id),
        &|life| (Reverse(life.bytes.saturating_mul(life.span())), life.id),
        &|life| (Reverse(life.span()), life.id),
        // As they come.
        &|life| (Reverse(0), life.first),
    ];
    let [apart, beside] = [false, true].map(|beside| {
        let assigned = orders.iter().map(|order| {
            let mut lives: Vec<&Life> = lives.iter().collect();
            lives.sort_by_key(|life| order(life));
            assign_in_order(&lives, most, beside)
        });
        assigned.min_by_key(Slots::total).unwrap_or_default()
    });
    let [less, more] = WORTH_SHARING;
    if beside.total().saturating_mul(more) < apart.total().saturating_mul(less) {
        return beside;
    }
    apart
}

impl Slots {
    /// Bytes of all slots.
    pub fn total(&self) -> usize {
        self.bytes.iter().sum()
    }
}

/// Each value chooses the slot that grows least for it, of those one that holds nothing that it should lie
/// apart from, if others are allowed at all, and the smallest.
fn assign_in_order(lives: &[&Life], most: Option<usize>, beside: bool) -> Slots {
    let mut slots = Slots::default();
    let mut taken: Vec<Taken<'_>> = Vec::new();
    for life in lives {
        let bytes = life.bytes.max(1).next_multiple_of(BINDING_ALIGNMENT);
        let place_in = |(slot, taken): (usize, &Taken<'_>)| {
            let meets = !taken.ids.is_disjoint(&life.apart);
            let offset = taken.offset_for(life, bytes);
            let end = offset + bytes;
            let fits = most.is_some_and(|most| end <= most.max(taken.bytes)) && (beside || !meets);
            let growth = end.saturating_sub(taken.bytes);
            fits.then_some(((growth, meets, taken.bytes), Place { slot, offset }))
        };
        let fitting = taken.iter().enumerate().filter_map(place_in).min_by_key(|(cost, _)| *cost);
        let own = Place { slot: taken.len(), offset: 0 };
        let place = fitting.map_or(own, |(_, place)| place);
        if place.slot == taken.len() {
            taken.push(Taken::default());
        }
        taken[place.slot].add(life, place.offset, bytes);
        slots.of.insert(life.id, place);
    }
    slots.bytes = taken.iter().map(|taken| taken.bytes).collect();
    slots
}

/// What lies in a slot.
#[derive(Default)]
struct Taken<'a> {
    bytes: usize,
    ids: HashSet<NodeId>,
    /// Values by their offsets, and where they end.
    values: BTreeMap<usize, Vec<(&'a Life, usize)>>,
}

impl<'a> Taken<'a> {
    fn add(&mut self, life: &'a Life, offset: usize, bytes: usize) {
        self.bytes = self.bytes.max(offset + bytes);
        self.ids.insert(life.id);
        self.values.entry(offset).or_default().push((life, offset + bytes));
    }

    /// The lowest offset at which a value fits between those that are alive with it, or behind them.
    fn offset_for(&self, life: &Life, bytes: usize) -> usize {
        let mut free = 0;
        for (&offset, values) in &self.values {
            let meeting = values.iter().filter(|(other, _)| other.meets(life));
            let Some(end) = meeting.map(|(_, end)| *end).max() else { continue };
            if free + bytes <= offset {
                return free;
            }
            free = free.max(end);
        }
        free
    }
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

    fn life(id: NodeId, bytes: usize, first: usize, last: usize, apart: &[NodeId]) -> Life {
        Life { id, bytes, first, last, apart: apart.iter().copied().collect() }
    }

    fn place(slot: usize, offset: usize) -> Place {
        Place { slot, offset }
    }

    #[test]
    fn values_share_a_place_when_they_do_not_meet() {
        let lives = [
            life(0, 256, 0, 1, &[1]),
            life(1, 1024, 1, 2, &[0, 3]),
            life(2, 1280, 3, 4, &[3]),
            life(3, 10, 2, 3, &[1, 2]),
        ];
        let slots = assign(&lives, Some(1 << 20));
        assert_eq!(slots.bytes, [1280, 256]);
        let places = [0, 1, 2, 3].map(|id| slots.of[&id]);
        assert_eq!(places, [place(1, 0), place(0, 0), place(0, 0), place(1, 0)]);
        assert_eq!(assign(&lives, None).bytes.len(), 4);
    }

    #[test]
    fn what_a_region_stores_lies_beside_what_it_reads_only_where_it_pays() {
        // A chain: each region reads what the last one stored.
        let chain = |bytes: [usize; 4]| -> Vec<Life> {
            let apart = |id: usize| [id.wrapping_sub(1), id + 1];
            (0..4).map(|id| life(id, bytes[id], id, id + 1, &apart(id))).collect()
        };
        assert_eq!(assign(&chain([1024; 4]), Some(1 << 20)).bytes, [1024, 1024]);
        let uneven = chain([4096, 1024, 1024, 4096]);
        assert_eq!(assign(&uneven, Some(1 << 20)).bytes, [5120]);
        let limited = assign(&uneven, Some(4096)).bytes;
        assert!(limited.iter().all(|&bytes| bytes <= 4096), "{limited:?}");
    }
}
