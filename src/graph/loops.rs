//! Loops over time steps: what recurrent layers are written with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::{Error, Result, Spec};
use crate::graph::ops::{
    Input, LoopBody, LoopOutput, LoopOverTime, LoopResult, Placeholder, stacked,
};
use crate::graph::{Graph, Node, NodeId, Op, Value};

/// What a loop's body gives for one step, and what a loop gives as a whole: outputs and carries.
pub type Step<'g> = (Vec<Value<'g>>, Vec<Value<'g>>);

/// The inputs of a loop under construction.
pub(super) struct LoopInputs<'a, 'g> {
    pub steps: usize,
    /// Time-major values, and whether the first step takes the last row.
    pub sequences: &'a [(Value<'g>, bool)],
    pub carries: &'a [Value<'g>],
    /// Values that the body gets as stand-ins. It may use any other value of the graph as well.
    pub invariants: &'a [Value<'g>],
}

/// What a body is traced with: stand-ins for its inputs in one step.
pub(super) struct StepInputs<'g> {
    pub rows: Vec<Value<'g>>,
    pub carries: Vec<Value<'g>>,
    pub invariants: Vec<Value<'g>>,
}

/// What a traced body gives: outputs, each with whether the first step is the last row, and carries.
pub(super) type StepOutputs<'g> = (Vec<(Value<'g>, bool)>, Vec<Value<'g>>);

impl Graph {
    /// Runs `body` over the first axis of `sequences`, `steps` times, from the last step to the first
    /// if `go_backwards`.
    ///
    /// The body is called once, to be written down. It gets one step of every sequence, without the
    /// time axis, and the carries; it gives the outputs of the step and the next carries, which have
    /// the specs of `carries`. It may use any value of this graph; what it computes from such values
    /// alone is computed once, in front of the loop. It may not assign variables: what a step leaves
    /// to the next is a carry.
    ///
    /// Returns the outputs, stacked on a new first axis in the order in which steps were taken, and
    /// the last carries. Without steps the outputs are empty and the carries come back as they were.
    ///
    /// # Errors
    /// If a sequence does not have `steps` as its first extent, if the carries change their specs or
    /// number, if the body assigns a variable, or what the body returns.
    pub fn loop_over_time<'g>(
        &'g self,
        steps: usize,
        go_backwards: bool,
        sequences: &[Value<'g>],
        carries: &[Value<'g>],
        body: impl FnOnce(&[Value<'g>], &[Value<'g>]) -> Result<Step<'g>>,
    ) -> Result<Step<'g>> {
        let sequences: Vec<_> = sequences.iter().map(|&x| (x, go_backwards)).collect();
        let inputs = LoopInputs { steps, sequences: &sequences, carries, invariants: &[] };
        self.loop_of(&inputs, |given| {
            let (outputs, next) = body(&given.rows, &given.carries)?;
            Ok((outputs.into_iter().map(|y| (y, false)).collect(), next))
        })
    }

    /// [`loop_over_time`](Graph::loop_over_time) with a direction for each sequence and output.
    pub(super) fn loop_of<'g>(
        &'g self,
        inputs: &LoopInputs<'_, 'g>,
        body: impl FnOnce(&StepInputs<'g>) -> Result<StepOutputs<'g>>,
    ) -> Result<Step<'g>> {
        for (sequence, _) in inputs.sequences {
            if sequence.shape().first() != Some(&inputs.steps) && !self.has_failed() {
                let expected = format!("{} steps along the first axis", inputs.steps);
                return Err(Error::shape("loop over time", sequence.spec().to_string(), expected));
            }
        }
        let row = |spec: Spec| Spec::new(spec.shape.get(1..).unwrap_or_default(), spec.dtype);
        let mark = self.len();
        let given = StepInputs {
            rows: inputs.sequences.iter().map(|(x, _)| self.placeholder(row(x.spec()))).collect(),
            carries: inputs.carries.iter().map(|x| self.placeholder(x.spec())).collect(),
            invariants: inputs.invariants.iter().map(|x| self.placeholder(x.spec())).collect(),
        };
        let assigns = self.inner.borrow().trace.assigns.len();
        let (outputs, next) = body(&given)?;
        if self.inner.borrow().trace.assigns.len() != assigns {
            let what = "the body of a loop over time assigns a variable: make it a carry";
            return Err(Error::Unsupported(what.into()));
        }
        if !self.has_failed() {
            self.check_carries(inputs.carries, &next)?;
        }
        if inputs.steps == 0 || self.has_failed() {
            let none = |(y, _): &(Value<'g>, bool)| {
                let spec = stacked(&y.spec(), 0);
                self.scalar(0.0, spec.dtype).broadcast(spec.shape)
            };
            return Ok((outputs.iter().map(none).collect(), inputs.carries.to_vec()));
        }
        let (operation, ids) = self.extract(inputs, &given, mark, &outputs, &next);
        Ok(self.results_of(operation, &ids))
    }

    /// Writes a loop; returns all of its outputs and last carries.
    pub(super) fn results_of(&self, operation: LoopOverTime, inputs: &[NodeId]) -> Step<'_> {
        let (outputs, specs) = (operation.outputs.len(), operation.results());
        let all = self.push(Op::LoopOverTime(operation), inputs);
        let mut start = 0;
        let mut results = Vec::with_capacity(specs.len());
        for (index, spec) in specs.into_iter().enumerate() {
            let len = spec.shape.len();
            results.push(self.push(Op::LoopResult(LoopResult { index, start, spec }), &[all.id()]));
            start += len;
        }
        let carries = results.split_off(outputs);
        (results, carries)
    }

    fn placeholder(&self, spec: Spec) -> Value<'_> {
        self.push(Op::Placeholder(Placeholder { id: self.len(), spec }), &[])
    }

    fn check_carries(&self, before: &[Value<'_>], after: &[Value<'_>]) -> Result<()> {
        let specs = |values: &[Value<'_>]| values.iter().map(|v| v.spec()).collect::<Vec<Spec>>();
        let (before, after) = (specs(before), specs(after));
        if before == after || self.has_failed() {
            return Ok(());
        }
        let list = |specs: &[Spec]| {
            specs.iter().map(ToString::to_string).collect::<Vec<String>>().join(", ")
        };
        Err(Error::shape("carries of a loop over time", list(&after), list(&before)))
    }

    /// The loop whose body are the operations that need a stand-in, and the nodes of its inputs.
    /// Whatever else they need is an invariant; sequences and invariants that nobody uses are not
    /// inputs.
    fn extract(
        &self,
        inputs: &LoopInputs<'_, '_>,
        given: &StepInputs<'_>,
        mark: NodeId,
        outputs: &[(Value<'_>, bool)],
        next: &[Value<'_>],
    ) -> (LoopOverTime, Vec<NodeId>) {
        let inner = self.inner.borrow();
        let nodes = &inner.trace.nodes;
        let roots = outputs.iter().map(|(y, _)| y).chain(next).map(|v| v.id());
        let part = Part::find(nodes, mark, roots);
        let mut writer = Writer::default();
        for (x, row) in inputs.sequences.iter().zip(&given.rows) {
            if part.inside.contains(&row.id()) {
                writer.input(nodes, x.0.id(), row.id());
            }
        }
        let sequences = writer.ids.len();
        let reversed = inputs.sequences.iter().zip(&given.rows);
        let reversed = reversed.filter(|(_, row)| part.inside.contains(&row.id()));
        let reversed = reversed.map(|((_, reversed), _)| *reversed).collect();
        for (x, carry) in inputs.carries.iter().zip(&given.carries) {
            writer.input(nodes, x.id(), carry.id());
        }
        for (x, invariant) in inputs.invariants.iter().zip(&given.invariants) {
            if part.inside.contains(&invariant.id()) {
                writer.input(nodes, x.id(), invariant.id());
            }
        }
        part.outside.iter().for_each(|&id| writer.input(nodes, id, id));
        part.inside.iter().for_each(|&id| writer.node(&nodes[id], id));
        let output = |&(y, reversed): &(Value<'_>, bool)| LoopOutput {
            value: writer.written[&y.id()],
            reversed,
        };
        let operation = LoopOverTime {
            steps: inputs.steps,
            reversed,
            outputs: outputs.iter().map(output).collect(),
            body: Arc::new(LoopBody {
                sequences,
                next: next.iter().map(|v| writer.written[&v.id()]).collect(),
                inputs: writer.specs,
                nodes: writer.nodes,
            }),
        };
        (operation, writer.ids)
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
    /// The part behind `roots`; nodes before `mark` are none of the body's own.
    fn find(nodes: &[Node], mark: NodeId, roots: impl Iterator<Item = NodeId>) -> Part {
        let mut varies = vec![false; nodes.len() - mark];
        for (i, node) in nodes[mark..].iter().enumerate() {
            varies[i] = match &node.op {
                Op::Placeholder(p) => p.id >= mark,
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
