//! Decides which values are stored and which region computes the others.
//!
//! In reverse order, a value joins the region of its consumers when they all belong to one region
//! and can take it as it is; otherwise it is stored, as the root of a region of its own. All
//! consumers of a value that is not stored lie in the same regions, so regions never wait for each
//! other in a circle. Weights of few bits join the regions of all products that read them.

use std::collections::{BTreeSet, HashMap};

use crate::graph::eval::last_uses;
use crate::graph::{FusionClass, NodeId, Op};
use crate::program::Program;
use crate::program::pass::packed::taken_by_products;

/// Values that join one region at most: code is written by recursion, and longer code is cut anyway.
const LARGEST: usize = 128;

/// The outcome: roots, and how they are computed.
#[derive(Debug, Default)]
pub struct Assignment {
    /// Values that are stored, ascending.
    pub roots: Vec<NodeId>,
    /// Whether a value is read from a buffer: a leaf, or stored.
    pub stored: Vec<bool>,
    /// The reduction or kernel that a root's region is built around.
    pub anchor: HashMap<NodeId, NodeId>,
}

struct Assigner<'a> {
    program: &'a Program,
    fuse: bool,
    forced: &'a BTreeSet<NodeId>,
    consumers: Vec<Vec<NodeId>>,
    /// Regions that a value is computed in, by their roots.
    regions: Vec<BTreeSet<NodeId>>,
    /// How many values have joined the region of each root.
    sizes: Vec<usize>,
    /// Whether a value's elements are those of its region's root, in the same order.
    aligned: Vec<bool>,
    /// Whether a value is computed element by element from the result of a kernel.
    behind_a_kernel: Vec<bool>,
    /// Whether a value's region would look at an element more than once.
    repeated: Vec<bool>,
    /// Whether a value is unpacked by the products that read it.
    packed: Vec<bool>,
    /// Values that must be in a buffer because of who uses them.
    wanted: Vec<bool>,
    assignment: Assignment,
}

/// Assigns every value; those of `forced` are stored whatever the rules say.
pub fn assign(program: &Program, fuse: bool, forced: &BTreeSet<NodeId>) -> Assignment {
    let n = program.nodes.len();
    let mut assigner = Assigner {
        program,
        fuse,
        forced,
        consumers: program.consumers(),
        regions: vec![BTreeSet::new(); n],
        sizes: vec![0; n],
        aligned: vec![false; n],
        behind_a_kernel: behind_kernels(program),
        repeated: vec![false; n],
        packed: if fuse { taken_by_products(program) } else { vec![false; n] },
        wanted: vec![false; n],
        assignment: Assignment { stored: vec![false; n], ..Assignment::default() },
    };
    program.outputs.iter().for_each(|&id| assigner.wanted[id] = true);
    let used = last_uses(&program.nodes, &program.outputs);
    for id in (0..n).rev().filter(|&id| used[id].is_some()) {
        assigner.visit(id);
    }
    assigner.assignment.roots.reverse();
    assigner.assignment
}

impl Assigner<'_> {
    fn visit(&mut self, id: NodeId) {
        let node = &self.program.nodes[id];
        let class = node.op.def().fusion();
        self.repeated[id] = self.is_repeated(id);
        match class {
            FusionClass::Leaf => {
                self.assignment.stored[id] = !is_scalar(&node.op) || self.wanted[id];
                return;
            }
            FusionClass::Anchor | FusionClass::Opaque => {
                for &input in &node.inputs {
                    self.wanted[input] |= !self.packed[input];
                }
            }
            _ => {}
        }
        if let Op::Gather(_) = node.op {
            self.wanted[node.inputs[0]] = true;
        }
        let regions: BTreeSet<NodeId> =
            self.consumers[id].iter().flat_map(|&c| self.regions[c].iter().copied()).collect();
        if self.joins(id, class, &regions) {
            self.aligned[id] = self.stays_aligned(id);
            if matches!(class, FusionClass::Anchor | FusionClass::Reduce | FusionClass::Opaque) {
                regions.iter().for_each(|&root| {
                    self.assignment.anchor.insert(root, id);
                });
            }
            regions.iter().for_each(|&root| self.sizes[root] += 1);
            self.regions[id] = regions;
        } else {
            self.store(id, class);
        }
    }

    fn store(&mut self, id: NodeId, class: FusionClass) {
        self.assignment.stored[id] = true;
        // A reshape is another name for the same buffer: its source is stored instead.
        let node = &self.program.nodes[id];
        if is_alias(&node.op) {
            self.wanted[node.inputs[0]] = true;
            return;
        }
        self.assignment.roots.push(id);
        self.regions[id] = BTreeSet::from([id]);
        self.aligned[id] = true;
        if !matches!(class, FusionClass::Map | FusionClass::View) {
            self.assignment.anchor.insert(id, id);
        }
    }

    fn joins(&self, id: NodeId, class: FusionClass, regions: &BTreeSet<NodeId>) -> bool {
        if !self.fuse || self.wanted[id] || self.forced.contains(&id) || regions.is_empty() {
            return false;
        }
        if regions.iter().any(|&root| self.sizes[root] >= LARGEST) {
            return false;
        }
        if self.packed[id] {
            return true;
        }
        let takes = |c: NodeId| match self.program.nodes[c].op.def().fusion() {
            FusionClass::Map | FusionClass::View => true,
            // A prologue, if the reduction is its region's anchor and not behind another one.
            FusionClass::Reduce => !matches!(class, FusionClass::Reduce | FusionClass::Anchor),
            _ => false,
        };
        if !self.consumers[id].iter().all(|&c| takes(c)) {
            return false;
        }
        match class {
            FusionClass::View => true,
            // An epilogue is stored where it ends: a padding or a sum over it would part it from its
            // kernel.
            FusionClass::Map if self.behind_a_kernel[id] && !self.stays_aligned(id) => false,
            FusionClass::Map if regions.len() == 1 => self.is_cheap(id) || !self.repeated[id],
            FusionClass::Map => self.is_cheap(id),
            FusionClass::Reduce | FusionClass::Anchor => {
                let free = |root: &NodeId| !self.assignment.anchor.contains_key(root);
                regions.len() == 1 && regions.iter().all(free) && self.stays_aligned(id)
            }
            FusionClass::Leaf | FusionClass::Opaque => false,
        }
    }

    /// Whether every consumer takes element `i` of the value for element `i` of the root.
    fn stays_aligned(&self, id: NodeId) -> bool {
        let len = self.program.nodes[id].spec.shape.len();
        self.consumers[id].iter().all(|&c| {
            let consumer = &self.program.nodes[c];
            let elementwise = matches!(
                consumer.op,
                Op::Unary(_)
                    | Op::Binary(_)
                    | Op::Select(_)
                    | Op::Cast(_)
                    | Op::Bitcast(_)
                    | Op::Reshape(_)
                    | Op::StopGradient(_)
            );
            elementwise && self.aligned[c] && consumer.spec.shape.len() == len
        })
    }

    /// Whether a region looks at an element more than once. Asked of a value when its consumers have
    /// their answers: following all paths from it would take time without bound.
    fn is_repeated(&self, id: NodeId) -> bool {
        self.consumers[id].iter().any(|&c| {
            let repeats = matches!(self.program.nodes[c].op, Op::Broadcast(_) | Op::RandomBits(_));
            repeats || (!self.assignment.stored[c] && self.repeated[c])
        })
    }

    /// Whether computing a value again costs no more than loading it: arithmetic on at most one
    /// stored value.
    fn is_cheap(&self, id: NodeId) -> bool {
        let node = &self.program.nodes[id];
        let arithmetic = match &node.op {
            Op::Iota(_) | Op::Cast(_) | Op::Bitcast(_) | Op::Select(_) => true,
            Op::Unary(op) => matches!(op.name, "neg" | "abs" | "not"),
            Op::Binary(op) => !matches!(op.name, "pow" | "atan2" | "mod" | "floor_div" | "div"),
            _ => false,
        };
        let loads = |&&i: &&NodeId| !self.is_free(i);
        arithmetic
            && node.inputs.iter().filter(loads).count() <= 1
            && node.inputs.iter().all(|&i| self.is_free(i) || self.is_leaf(i))
    }

    fn is_leaf(&self, mut id: NodeId) -> bool {
        while self.program.nodes[id].op.def().fusion() == FusionClass::View {
            id = self.program.nodes[id].inputs[0];
        }
        self.program.nodes[id].op.def().fusion() == FusionClass::Leaf
    }

    /// A scalar constant, or an index.
    fn is_free(&self, mut id: NodeId) -> bool {
        while self.program.nodes[id].op.def().fusion() == FusionClass::View {
            id = self.program.nodes[id].inputs[0];
        }
        let op = &self.program.nodes[id].op;
        is_scalar(op) || matches!(op, Op::Iota(_))
    }
}

/// Which values are computed element by element from the result of a kernel: by the operand of the
/// same size that a chain of operations runs along, the latest.
fn behind_kernels(program: &Program) -> Vec<bool> {
    let nodes = &program.nodes;
    let mut behind = vec![false; nodes.len()];
    for (id, node) in nodes.iter().enumerate() {
        let elementwise = node.op.def().fusion() == FusionClass::Map || is_alias(&node.op);
        if !elementwise || matches!(node.op, Op::Gather(_) | Op::Concat(_)) {
            continue;
        }
        let len = node.spec.shape.len();
        let along = node.inputs.iter().filter(|&&i| nodes[i].spec.shape.len() == len).max();
        behind[id] =
            along.is_some_and(|&i| behind[i] || nodes[i].op.def().fusion() == FusionClass::Anchor);
    }
    behind
}

/// Whether a value is a constant that goes into the parameters.
pub fn is_scalar(op: &Op) -> bool {
    matches!(op, Op::Constant(c) if c.tensor.len() == 1)
}

/// Whether a value has the bytes of its input.
pub fn is_alias(op: &Op) -> bool {
    matches!(op, Op::Reshape(_) | Op::StopGradient(_))
}

/// The value whose buffer holds a value's elements.
pub fn storage_of(program: &Program, mut id: NodeId) -> NodeId {
    while is_alias(&program.nodes[id].op) {
        id = program.nodes[id].inputs[0];
    }
    id
}
