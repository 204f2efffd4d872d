//! The same program for fewer samples, where each sample goes its own way.
//!
//! A value is parted when its elements, in order, fall into equal runs of which each follows from the
//! same runs of the inputs alone. Such runs lie along the first axis that is longer than 1, whatever
//! the axis means; so a reshape that merges samples and rows of an image keeps them.

use crate::base::{Shape, Spec};
use crate::graph::ops::{Broadcast, Concat, Conv, ConvKind, Gather, Pad, Reshape, Slice};
use crate::graph::{NodeId, Op};
use crate::program::Program;

/// What part of a value a part of the samples needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// All of it.
    Shared,
    /// The same part of it.
    Parted,
    /// It is the same everywhere: one or the other, as who reads it wants.
    Either,
}

/// The program for one of so many equal parts of the samples: of the first axis of every input and
/// output. None where a sample may look at another, where variables are set, and where the extents
/// cannot be parted.
pub fn part(program: &Program, parts: usize) -> Option<Program> {
    if parts == 0 || !program.assigns.is_empty() || !program.complex.is_empty() {
        return None;
    }
    let mut parting = Parting { old: program, new: program.clone(), kinds: Vec::new(), parts };
    for id in 0..program.nodes.len() {
        let kind = parting.visit(id)?;
        parting.kinds.push(kind);
    }
    for &id in &program.outputs {
        parting.want(id)?;
        (first_axis(&program.nodes[id].spec.shape)? == 0).then_some(())?;
    }
    for input in &mut parting.new.inputs {
        (first_axis(&input.shape)? == 0).then_some(())?;
        *input = cut(input, parts)?;
    }
    Some(parting.new)
}

/// The first axis that is longer than 1.
fn first_axis(shape: &Shape) -> Option<usize> {
    shape.iter().position(|&extent| extent > 1)
}

/// A part of a shape, along its first axis that is longer than 1.
fn cut_shape(shape: &Shape, parts: usize) -> Option<Shape> {
    let axis = first_axis(shape)?;
    let whole = !shape.is_empty() && shape[axis].is_multiple_of(parts);
    whole.then(|| shape.with(axis, shape[axis] / parts))
}

fn cut(spec: &Spec, parts: usize) -> Option<Spec> {
    Some(Spec::new(cut_shape(&spec.shape, parts)?, spec.dtype))
}

struct Parting<'a> {
    old: &'a Program,
    /// The same nodes; those that were visited are for a part.
    new: Program,
    kinds: Vec<Kind>,
    parts: usize,
}

impl Parting<'_> {
    /// Writes a node for a part.
    fn visit(&mut self, id: NodeId) -> Option<Kind> {
        let node = &self.old.nodes[id];
        match &node.op {
            Op::Input(op) => {
                let mut op = op.clone();
                op.spec = cut(&node.spec, self.parts)?;
                self.put(id, Op::Input(op))?;
                return Some(Kind::Parted);
            }
            Op::Read(_) | Op::Hoisted(_) | Op::Constant(_) | Op::Iota(_) => {
                return Some(Kind::Shared);
            }
            _ => {}
        }
        if !node.inputs.iter().any(|&input| self.kinds[input] == Kind::Parted) {
            node.inputs.iter().for_each(|&input| self.kinds[input] = Kind::Shared);
            let same =
                matches!(&node.op, Op::Broadcast(op) if self.is_repeated(op, node.inputs[0]));
            return Some(if same { Kind::Either } else { Kind::Shared });
        }
        let op = self.parted(id)?;
        self.put(id, op)?;
        Some(Kind::Parted)
    }

    /// Sets the operation of a node, if it gives a part of what it gave.
    fn put(&mut self, id: NodeId, op: Op) -> Option<()> {
        let node = &self.old.nodes[id];
        let inputs: Vec<&Spec> = node.inputs.iter().map(|&i| &self.new.nodes[i].spec).collect();
        let spec = op.def().infer(&inputs).ok()?;
        (spec == cut(&node.spec, self.parts)?).then_some(())?;
        (self.new.nodes[id].op, self.new.nodes[id].spec) = (op, spec);
        Some(())
    }

    /// Makes a value parted that is the same everywhere.
    fn want(&mut self, id: NodeId) -> Option<()> {
        match (self.kinds[id], &self.old.nodes[id].op) {
            (Kind::Parted, _) => Some(()),
            (Kind::Either, Op::Broadcast(op)) => {
                let shape = cut_shape(&op.shape, self.parts)?;
                self.put(id, Op::Broadcast(Broadcast { shape }))?;
                self.kinds[id] = Kind::Parted;
                Some(())
            }
            _ => None,
        }
    }

    /// Whether all parts of a broadcast are the same.
    fn is_repeated(&self, op: &Broadcast, input: NodeId) -> bool {
        let shape = &self.old.nodes[input].spec.shape;
        let lead = op.shape.rank() - shape.rank();
        first_axis(&op.shape).is_some_and(|axis| axis < lead || shape[axis - lead] == 1)
    }

    /// The operation for a part, when it looks at no other part.
    fn parted(&mut self, id: NodeId) -> Option<Op> {
        let node = &self.old.nodes[id];
        let specs: Vec<&Shape> =
            node.inputs.iter().map(|&input| &self.old.nodes[input].spec.shape).collect();
        // Of the first operand, and of the result.
        let (from, to) = (first_axis(specs[0])?, first_axis(&node.spec.shape)?);
        let shared = |this: &mut Self, input: usize| {
            let id = node.inputs[input];
            (this.kinds[id] != Kind::Parted).then(|| this.kinds[id] = Kind::Shared)
        };
        let along = |kept: bool| kept.then(|| node.op.clone());
        match &node.op {
            Op::Unary(_) | Op::Binary(_) | Op::Select(_) | Op::Cast(_) | Op::StopGradient(_) => {
                node.inputs.iter().try_for_each(|&input| self.want(input))?;
                Some(node.op.clone())
            }
            Op::Reshape(op) => {
                Some(Op::Reshape(Reshape { shape: cut_shape(&op.shape, self.parts)? }))
            }
            Op::Broadcast(op) => {
                let lead = op.shape.rank() - specs[0].rank();
                let shape = cut_shape(&op.shape, self.parts)?;
                (from + lead == to).then_some(Op::Broadcast(Broadcast { shape }))
            }
            Op::Transpose(op) => along(op.axes[to] == from),
            Op::Reduce(op) => along(!op.axes.contains(&from)),
            Op::ArgReduce(op) => along(op.axis != from),
            Op::Pad(Pad { low, high, interior, .. }) => {
                along([low, high, interior].iter().all(|pad| pad[from] == 0))
            }
            Op::Slice(op) => {
                let whole = (op.start[from], op.step[from], op.size[from]);
                let mut size = op.size.clone();
                size[from] = specs[0][from] / self.parts;
                let op = Slice { size, ..op.clone() };
                (whole == (0, 1, specs[0][from])).then_some(Op::Slice(op))
            }
            Op::Concat(Concat { axis }) => {
                let all = specs.iter().all(|shape| first_axis(shape) == Some(from));
                node.inputs.iter().try_for_each(|&input| self.want(input))?;
                along(all && *axis != from)
            }
            Op::MatMul(op) => {
                // Each part has products of its own, or rows of the one that there is.
                let rows = from == 0 || from == 1 && !op.transpose_a;
                let parted = self.kinds[node.inputs[1]] == Kind::Parted;
                let right = match parted {
                    true => from == 0 && first_axis(specs[1])? == 0,
                    false => specs[1][0] == 1 && shared(self, 1).is_some(),
                };
                let left = self.kinds[node.inputs[0]] == Kind::Parted;
                along(rows && right && left)
            }
            Op::Conv(op) if op.kind == ConvKind::Forward => {
                shared(self, 1)?;
                let mut geometry = op.geometry;
                geometry.batch /= self.parts;
                (from == 0).then(|| Op::Conv(Conv { geometry, ..op.clone() }))
            }
            Op::Pool(op) => {
                let mut op = op.clone();
                op.batch /= self.parts;
                (from == 0).then_some(Op::Pool(op))
            }
            Op::Gather(Gather { axis }) => {
                shared(self, 0)?;
                along(*axis == 0)
            }
            _ => None,
        }
    }
}
