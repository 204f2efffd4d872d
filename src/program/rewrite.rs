//! Helpers for passes that write a new list of nodes.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::{Result, Spec};
use crate::graph::eval::last_uses;
use crate::graph::{Node, NodeId, Op};
use crate::program::Program;

/// A list of nodes under construction; equal operations on equal inputs are one node.
#[derive(Default)]
pub(crate) struct Builder {
    pub nodes: Vec<Node>,
    interned: HashMap<(Op, Vec<NodeId>), NodeId>,
}

impl Builder {
    /// The node for an operation, new or already there.
    pub fn push(
        &mut self,
        op: impl Into<Op>,
        inputs: Vec<NodeId>,
        scope: &Arc<str>,
    ) -> Result<NodeId> {
        let key = (op.into(), inputs);
        if let Some(&id) = self.interned.get(&key) {
            return Ok(id);
        }
        let specs: Vec<&Spec> = key.1.iter().map(|&i| &self.nodes[i].spec).collect();
        let spec = key.0.def().infer(&specs)?;
        let (op, inputs) = key.clone();
        self.nodes.push(Node { op, inputs, spec, scope: scope.clone() });
        self.interned.insert(key, self.nodes.len() - 1);
        Ok(self.nodes.len() - 1)
    }

    pub fn spec(&self, id: NodeId) -> &Spec {
        &self.nodes[id].spec
    }
}

/// Drops nodes that no output needs.
pub(crate) fn remove_unused(program: &mut Program) {
    let used = last_uses(&program.nodes, &program.outputs);
    let mut moved = vec![0; program.nodes.len()];
    let mut kept = Vec::new();
    for (id, mut node) in std::mem::take(&mut program.nodes).into_iter().enumerate() {
        if used[id].is_some() {
            node.inputs.iter_mut().for_each(|i| *i = moved[*i]);
            moved[id] = kept.len();
            kept.push(node);
        }
    }
    program.nodes = kept;
    program.outputs.iter_mut().for_each(|id| *id = moved[*id]);
    let read = |program: &Program, id| {
        let reads = |n: &Node| matches!(&n.op, Op::Read(r) if r.id == id);
        program.nodes.iter().any(reads) || program.assigns.iter().any(|(v, _)| v.id() == id)
    };
    let needed: HashMap<_, _> = program
        .variables
        .iter()
        .filter(|(id, _)| read(program, **id))
        .map(|(k, v)| (*k, v.clone()))
        .collect();
    program.variables = needed;
}
