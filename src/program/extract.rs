//! A region as a program of its own.

use std::collections::HashMap;

use crate::graph::ops::Input;
use crate::graph::{Node, NodeId, Op, Trace};
use crate::program::Program;
use crate::program::region::Region;

impl Program {
    /// What a region computes, from what it reads: these values are inputs of the result, but for
    /// constants. `None` for a region that stores what it does not compute, as one of a loop does.
    pub fn extract(&self, region: &Region) -> Option<Program> {
        let mut part = Part { program: self, trace: Trace::default(), of: HashMap::new() };
        for &id in &region.members {
            let node = &self.nodes[id];
            let inputs = node.inputs.iter().map(|&input| part.value(input)).collect();
            part.push(id, Node { inputs, ..node.clone() });
        }
        let stores = region.stores(self);
        let outputs =
            stores.iter().map(|id| part.of.get(id).copied()).collect::<Option<Vec<_>>>()?;
        Some(Program::new(part.trace, &outputs))
    }
}

/// A part of a program under construction.
struct Part<'a> {
    program: &'a Program,
    trace: Trace,
    /// Where the program's values are in the trace.
    of: HashMap<NodeId, NodeId>,
}

impl Part<'_> {
    /// A value that is computed in the part or comes from outside.
    fn value(&mut self, id: NodeId) -> NodeId {
        if let Some(&known) = self.of.get(&id) {
            return known;
        }
        let node = self.program.nodes[id].clone();
        if matches!(node.op, Op::Constant(_)) {
            return self.push(id, node);
        }
        let spec = node.spec.clone();
        let op = Op::Input(Input { index: self.trace.inputs.len(), spec: spec.clone() });
        self.trace.inputs.push(spec);
        self.push(id, Node { op, inputs: Vec::new(), ..node })
    }

    fn push(&mut self, id: NodeId, node: Node) -> NodeId {
        self.trace.nodes.push(node);
        self.of.insert(id, self.trace.nodes.len() - 1);
        self.trace.nodes.len() - 1
    }
}
