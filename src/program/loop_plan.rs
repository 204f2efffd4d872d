//! A loop's body as regions, and where each of its values is stored.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::base::Result;
use crate::graph::ops::{Cast, LoopOverTime};
use crate::graph::{FusionClass, Node, NodeId, Op};
use crate::program::Program;
use crate::program::pass::fuse::{self, Regions};
use crate::program::pass::storage_of;

/// A loop made ready for a device: its regions run once in every step.
pub struct LoopPlan {
    /// The loop.
    pub op: LoopOverTime,
    /// The body: its inputs are those of the loop in one step.
    pub program: Program,
    /// The body's regions.
    pub regions: Regions,
    /// Where roots of regions are stored that outlive their step. Others are in slots.
    pub stores: BTreeMap<NodeId, Stores>,
}

/// Where a value of the body is stored: at least in one of these places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stores {
    /// The output that it is a row of.
    pub output: Option<usize>,
    /// The carry that it is the next value of.
    pub carry: Option<usize>,
    /// A buffer of its own, where a kernel reads it that knows no rows.
    pub whole: bool,
}

impl LoopPlan {
    /// Cuts a body into regions; without `fuse`, every operation is one.
    pub fn new(op: &LoopOverTime, fuse: bool) -> Result<LoopPlan> {
        let mut program = op.program();
        copy_rows(&mut program, op);
        let stores = store(&mut program, op.outputs.len());
        let twice = |(_, stores): &(&NodeId, &Stores)| stores.places() > 1;
        let double: HashSet<NodeId> = stores.iter().filter(twice).map(|(id, _)| *id).collect();
        let regions = fuse::run_body(&program, fuse, &double)?;
        Ok(LoopPlan { op: op.clone(), program, regions, stores })
    }
}

impl Stores {
    /// In how many places the value is stored: one or two.
    pub fn places(self) -> usize {
        usize::from(self.output.is_some()) + usize::from(self.carry.is_some() || self.whole)
    }
}

/// Whether a kernel of its own reads the operation's inputs, not generated code.
fn has_kernel(op: &Op) -> bool {
    matches!(op.def().fusion(), FusionClass::Anchor | FusionClass::Opaque)
}

/// Puts rows of sequences in buffers of their own where a kernel reads them that knows no rows, and
/// carries where a loop inside does, because they change their buffers.
fn copy_rows(program: &mut Program, op: &LoopOverTime) {
    let mut nodes: Vec<Node> = Vec::with_capacity(program.nodes.len());
    let mut moved: Vec<NodeId> = Vec::with_capacity(program.nodes.len());
    let mut copies: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    for node in &program.nodes {
        let mut node = node.clone();
        let limit = match &node.op {
            Op::LoopOverTime(_) => op.body.first_invariant(),
            kernel if has_kernel(kernel) => op.body.sequences,
            _ => 0,
        };
        for input in &mut node.inputs {
            let source = *input;
            *input = moved[source];
            let stored = storage_of(program, source);
            if matches!(&program.nodes[stored].op, Op::Input(i) if i.index < limit) {
                *input = *copies.entry(source).or_insert_with(|| push_copy(&mut nodes, *input));
            }
        }
        moved.push(nodes.len());
        nodes.push(node);
    }
    program.nodes = nodes;
    program.outputs.iter_mut().for_each(|id| *id = moved[*id]);
}

/// Gives each returned value a region of its own to store it: the first of the same value stores it
/// for an output and for a carry, others are copies.
fn store(program: &mut Program, outputs: usize) -> BTreeMap<NodeId, Stores> {
    let mut stores: BTreeMap<NodeId, Stores> = BTreeMap::new();
    let loops = program.nodes.iter().filter(|node| matches!(node.op, Op::LoopOverTime(_)));
    let in_loops = loops.flat_map(|node| node.inputs.iter().map(|&i| storage_of(program, i)));
    let in_loops: HashSet<NodeId> = in_loops.collect();
    for position in 0..program.outputs.len() {
        let id = program.outputs[position];
        let place = |stores: &mut Stores| match position.checked_sub(outputs) {
            None => stores.output.replace(position),
            Some(carry) => stores.carry.replace(carry),
        };
        let root = storage_of(program, id);
        let mut wanted = stores.get(&root).copied().unwrap_or_default();
        let taken = place(&mut wanted).is_some();
        // Kernels without generated code write one whole buffer; a loop reads one.
        let class = program.nodes[root].op.def().fusion();
        let fixed = matches!(class, FusionClass::Leaf | FusionClass::Opaque);
        if taken || fixed || in_loops.contains(&root) {
            let copy = push_copy(&mut program.nodes, id);
            program.outputs[position] = copy;
            place(stores.entry(copy).or_default());
        } else {
            stores.insert(root, wanted);
        }
    }
    for node in program.nodes.iter().filter(|node| has_kernel(&node.op)) {
        for &input in &node.inputs {
            if let Some(stores) = stores.get_mut(&storage_of(program, input)) {
                stores.whole |= stores.carry.is_none();
            }
        }
    }
    stores
}

/// The same value once more: a cast that changes nothing is a region of its own, being returned or
/// read by a kernel.
fn push_copy(nodes: &mut Vec<Node>, id: NodeId) -> NodeId {
    let (spec, scope) = (nodes[id].spec.clone(), Arc::clone(&nodes[id].scope));
    nodes.push(Node { op: Cast { dtype: spec.dtype }.into(), inputs: vec![id], spec, scope });
    nodes.len() - 1
}
