//! The frozen form of a trace, and the passes that make it fast.
//!
//! A [`Program`] is a list of operations in order. Passes rewrite it: `simplify` and `hoist` work for
//! every executor; `fuse` cuts it into [`Region`](region::Region)s, one dispatch each, and `memory`
//! gives regions their buffers. Inference and training differ only in what was traced.

pub mod cost;
mod extract;
mod loop_plan;
pub mod pass;
mod print;
pub mod region;
mod rewrite;
pub mod view;

use std::collections::HashMap;

use crate::base::{Error, Result, Spec};
use crate::graph::eval::last_uses;
use crate::graph::{FusionClass, Node, NodeId, Op, Trace, parts_side_by_side};
use crate::tensor::{Variable, VariableId};

pub use cost::Cost;
pub use loop_plan::{LoopPlan, Stores};
pub use pass::{Options, Pass};

/// Operations in topological order, with what goes in and what comes out.
#[derive(Clone, Default)]
pub struct Program {
    /// Every operation, operands before those that use them; a [`NodeId`] is an index here.
    pub nodes: Vec<Node>,
    /// Model inputs in order.
    pub inputs: Vec<Spec>,
    /// What a run returns; after it, the new values of `assigns`.
    pub outputs: Vec<NodeId>,
    /// Positions of outputs that are complex numbers; they are computed in parts, on a last axis of two.
    pub complex: Vec<usize>,
    /// Outputs that are words of packed elements, by their position: what their elements are; see
    /// [`at_rest`](pass::at_rest).
    pub packed: HashMap<usize, Spec>,
    /// Variables to be set after a run, with the position of their value in `outputs`.
    pub assigns: Vec<(Variable, usize)>,
    /// Variables that were read or assigned when the program was traced.
    pub variables: HashMap<VariableId, Variable>,
    /// Computes the [`Hoisted`](crate::graph::ops::Hoisted) values; depends on variables only.
    pub prelude: Option<Box<Program>>,
}

impl Program {
    /// The program of a finished trace that returns `outputs`.
    pub fn new(trace: Trace, outputs: &[NodeId]) -> Program {
        let mut outputs = outputs.to_vec();
        let mut assigns: Vec<(Variable, usize)> = Vec::new();
        for (variable, id) in trace.assigns {
            // The last assignment to a variable counts.
            match assigns.iter().find(|(v, _)| v.id() == variable.id()) {
                Some(&(_, position)) => outputs[position] = id,
                None => {
                    assigns.push((variable, outputs.len()));
                    outputs.push(id);
                }
            }
        }
        let (mut nodes, inputs, variables) = (trace.nodes, trace.inputs, trace.variables);
        let mut complex = Vec::new();
        for (position, id) in outputs.iter_mut().enumerate() {
            if let Some(parts) = parts_side_by_side(&mut nodes, *id) {
                *id = parts;
                complex.push(position);
            }
        }
        let mut program =
            Program { nodes, inputs, outputs, complex, assigns, variables, ..Program::default() };
        rewrite::remove_unused(&mut program);
        program
    }

    /// Drops the inputs that nothing reads, and gives the positions of those that stay.
    pub fn drop_unused_inputs(&mut self) -> Vec<usize> {
        let mut kept: Vec<usize> = Vec::new();
        for node in &mut self.nodes {
            if let Op::Input(input) = &mut node.op {
                kept.push(input.index);
                input.index = kept.len() - 1;
            }
        }
        self.inputs = kept.iter().map(|&i| self.inputs[i].clone()).collect();
        kept
    }

    /// What an output is.
    pub fn output_spec(&self, position: usize) -> Spec {
        let node = &self.nodes[self.outputs[position]];
        self.packed.get(&position).unwrap_or(&node.spec).clone()
    }

    /// Number of values a run returns to the caller.
    pub fn returned(&self) -> usize {
        self.outputs.len() - self.assigns.len()
    }

    /// Whether any value is computed at all.
    pub fn computes(&self) -> bool {
        self.nodes.iter().any(|n| n.op.def().fusion() != FusionClass::Leaf)
    }

    /// Checks that every input precedes its use and that every spec is what the operation gives.
    ///
    /// # Errors
    /// [`Error::Internal`]: a pass has broken the program.
    pub fn verify(&self) -> Result<()> {
        for (id, node) in self.nodes.iter().enumerate() {
            let broken = |what: String| Err(Error::Internal(format!("%{id} {what}")));
            if node.inputs.iter().any(|&i| i >= id) {
                return broken(format!("uses a later value: {:?}", node.inputs));
            }
            let specs: Vec<&Spec> = node.inputs.iter().map(|&i| &self.nodes[i].spec).collect();
            let inferred = node.op.def().infer(&specs)?;
            if inferred != node.spec {
                return broken(format!("is said to be {}, gives {inferred}", node.spec));
            }
            if let Op::LoopOverTime(op) = &node.op {
                op.program().verify()?;
            }
            if let Op::Read(read) = &node.op
                && !self.variables.contains_key(&read.id)
            {
                return broken("reads an unknown variable".into());
            }
        }
        if self.outputs.iter().any(|&id| id >= self.nodes.len()) {
            return Err(Error::Internal("an output is not a value of the program".into()));
        }
        Ok(())
    }

    /// The results of a loop that the program has: position among all results, and node.
    pub fn results_of(&self, id: NodeId) -> Vec<(usize, NodeId)> {
        let nodes = self.nodes.iter().enumerate().filter(|(_, node)| node.inputs == [id]);
        let results = nodes.filter_map(|(result, node)| match &node.op {
            Op::LoopResult(op) => Some((op.index, result)),
            _ => None,
        });
        results.collect()
    }

    /// The nodes that use each node.
    pub(crate) fn consumers(&self) -> Vec<Vec<NodeId>> {
        let used = last_uses(&self.nodes, &self.outputs);
        let mut consumers = vec![Vec::new(); self.nodes.len()];
        for (id, node) in self.nodes.iter().enumerate().filter(|(id, _)| used[*id].is_some()) {
            for &input in &node.inputs {
                consumers[input].push(id);
            }
        }
        consumers
    }
}
