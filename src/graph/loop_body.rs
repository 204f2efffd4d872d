//! From the operations that a loop's body has written to the loop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::Spec;
use crate::graph::ops::{Input, LoopBody, LoopOutput, LoopOverTime};
use crate::graph::{Graph, Node, NodeId, Op};

/// What a body has written, and what its placeholders stand for.
pub(super) struct Written {
    pub steps: usize,
    /// Nodes before this one are none of the body's own.
    pub mark: NodeId,
    /// A sequence, the placeholder of one step of it, and whether the first step takes the last row.
    pub sequences: Vec<(NodeId, NodeId, bool)>,
    /// The first value of a carry, its placeholder and its next value.
    pub carries: Vec<(NodeId, NodeId, NodeId)>,
    /// By placeholder: a value that is the same in every step.
    pub fixed: BTreeMap<NodeId, NodeId>,
    pub outputs: Vec<LoopOutput>,
}

impl Graph {
    /// The loop whose body are the operations that need a placeholder of a step, and the nodes of its
    /// inputs. Whatever else they need is an invariant; sequences that nobody uses are not inputs.
    pub(super) fn extract(&self, written: &Written) -> (LoopOverTime, Vec<NodeId>) {
        let roots = written.outputs.iter().map(|output| output.value);
        let roots = roots.chain(written.carries.iter().map(|carry| carry.2));
        let part = Part::find(&self.inner.borrow().trace.nodes, written, roots);
        let mut outside = written.fixed.clone();
        part.outside.iter().for_each(|&id| _ = self.outer(id, written.mark, &mut outside));
        let inner = self.inner.borrow();
        let nodes = &inner.trace.nodes;
        let mut writer = Writer::default();
        let used = |row: &NodeId| part.inside.contains(row);
        for (x, row, _) in written.sequences.iter().filter(|(_, row, _)| used(row)) {
            writer.input(nodes, *x, *row);
        }
        let sequences = writer.ids.len();
        written.carries.iter().for_each(|(x, carry, _)| writer.input(nodes, *x, *carry));
        part.outside.iter().for_each(|id| writer.input(nodes, outside[id], *id));
        part.inside.iter().for_each(|&id| writer.node(&nodes[id], id));
        let output = |output: &LoopOutput| LoopOutput {
            value: writer.written[&output.value],
            reversed: output.reversed,
        };
        let reversed = written.sequences.iter().filter(|(_, row, _)| used(row));
        let operation = LoopOverTime {
            steps: written.steps,
            reversed: reversed.map(|(_, _, reversed)| *reversed).collect(),
            outputs: written.outputs.iter().map(output).collect(),
            body: Arc::new(LoopBody {
                sequences,
                next: written.carries.iter().map(|carry| writer.written[&carry.2]).collect(),
                inputs: writer.specs,
                nodes: writer.nodes,
            }),
        };
        (operation, writer.ids)
    }

    /// The value of a node, written again where it was computed from placeholders; `known` has what
    /// these stand for.
    fn outer(&self, id: NodeId, mark: NodeId, known: &mut BTreeMap<NodeId, NodeId>) -> NodeId {
        if id < mark {
            known.insert(id, id);
        }
        if let Some(&outer) = known.get(&id) {
            return outer;
        }
        let (op, inputs) = self.with_node(id, |node| (node.op.clone(), node.inputs.clone()));
        let inputs: Vec<NodeId> =
            inputs.into_iter().map(|input| self.outer(input, mark, known)).collect();
        let outer = self.push(op, &inputs).id();
        known.insert(id, outer);
        outer
    }
}

/// The part of a trace that a loop's body is.
#[derive(Default)]
struct Part {
    /// Nodes of the body, ascending.
    inside: BTreeSet<NodeId>,
    /// Nodes that it needs and that are the same in every step.
    outside: BTreeSet<NodeId>,
}

impl Part {
    /// The part behind `roots`.
    fn find(nodes: &[Node], written: &Written, roots: impl Iterator<Item = NodeId>) -> Part {
        let mark = written.mark;
        let mut varies = vec![false; nodes.len() - mark];
        for (i, node) in nodes[mark..].iter().enumerate() {
            varies[i] = match &node.op {
                Op::Placeholder(p) => p.id >= mark && !written.fixed.contains_key(&(mark + i)),
                _ => node.inputs.iter().any(|&input| input >= mark && varies[input - mark]),
            };
        }
        let mut part = Part::default();
        let mut open: Vec<NodeId> = roots.collect();
        while let Some(id) = open.pop() {
            let node = &nodes[id];
            if id >= mark && varies[id - mark] || is_light(&node.op) {
                if part.inside.insert(id) {
                    open.extend(&node.inputs);
                }
            } else {
                part.outside.insert(id);
            }
        }
        part
    }
}

/// Whether an operation on values that do not change costs nothing inside a body, but a buffer in
/// front of it.
fn is_light(op: &Op) -> bool {
    match op {
        Op::Constant(c) => c.tensor.len() == 1,
        Op::Iota(_) | Op::Broadcast(_) | Op::Reshape(_) => true,
        _ => false,
    }
}

/// A body under construction.
#[derive(Default)]
struct Writer {
    /// Nodes of the graph that are the loop's inputs.
    ids: Vec<NodeId>,
    specs: Vec<Spec>,
    nodes: Vec<Node>,
    /// Nodes of the graph that have been written, with their place in the body.
    written: BTreeMap<NodeId, NodeId>,
}

impl Writer {
    /// The loop's next input: the value `from`, which `inside` stands for in one step.
    fn input(&mut self, nodes: &[Node], from: NodeId, inside: NodeId) {
        let (index, node) = (self.ids.len(), &nodes[inside]);
        let (spec, scope) = (node.spec.clone(), node.scope.clone());
        self.ids.push(from);
        self.specs.push(spec.clone());
        let op = Op::Input(Input { index, spec: spec.clone() });
        self.written.insert(inside, self.nodes.len());
        self.nodes.push(Node { op, inputs: Vec::new(), spec, scope });
    }

    fn node(&mut self, node: &Node, id: NodeId) {
        if !self.written.contains_key(&id) {
            let inputs = node.inputs.iter().map(|i| self.written[i]).collect();
            self.written.insert(id, self.nodes.len());
            self.nodes.push(Node { inputs, ..node.clone() });
        }
    }
}
