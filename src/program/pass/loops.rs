//! What a program knows about its loops: loops over the same body become one, results and carries
//! that nobody needs are left out, bodies are simplified.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::Result;
use crate::graph::eval::last_uses;
use crate::graph::ops::{LoopBody, LoopOutput, LoopOverTime};
use crate::graph::{Node, NodeId, Op};
use crate::program::Program;
use crate::program::pass::simplify;

/// Joins loops with the same body and the same inputs, as the forward loop of a model and the one
/// that its gradient asks for more results of, and leaves out what nobody needs.
pub fn join(program: &mut Program) -> Result<()> {
    let used = last_uses(&program.nodes, &program.outputs);
    let mut groups: Vec<(NodeId, Vec<NodeId>)> = Vec::new();
    for (id, node) in program.nodes.iter().enumerate().filter(|(id, _)| used[*id].is_some()) {
        let Op::LoopOverTime(op) = &node.op else { continue };
        let same = |(first, _): &&mut (NodeId, Vec<NodeId>)| {
            let other = &program.nodes[*first];
            matches!(&other.op, Op::LoopOverTime(o) if o.runs_as(op)) && other.inputs == node.inputs
        };
        match groups.iter_mut().find(same) {
            Some((_, members)) => members.push(id),
            None => groups.push((id, vec![id])),
        }
    }
    groups.into_iter().try_for_each(|(first, members)| join_group(program, first, &members, &used))
}

impl LoopBody {
    /// The first carry that ends as carry `k` does: a loop has a step at least.
    fn first_like(&self, k: usize) -> usize {
        let same = |next: &NodeId| self.next.get(k) == Some(next);
        self.next.iter().position(same).unwrap_or(k)
    }
}

impl LoopOverTime {
    /// Whether both do the same, whatever they keep of it.
    fn runs_as(&self, other: &LoopOverTime) -> bool {
        self.steps == other.steps
            && self.reversed == other.reversed
            && (Arc::ptr_eq(&self.body, &other.body) || self.body == other.body)
    }

    /// The body as a program: its inputs are those of the loop in one step, it returns the outputs
    /// of the step and the next carries.
    pub(crate) fn program(&self) -> Program {
        let outputs = self.outputs.iter().map(|o| o.value).chain(self.body.next.iter().copied());
        Program {
            nodes: self.body.nodes.clone(),
            inputs: self.body.inputs.clone(),
            outputs: outputs.collect(),
            ..Program::default()
        }
    }
}

/// A result, independent of what else a loop keeps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    Output(NodeId, bool),
    Carry(usize),
}

fn join_group(
    program: &mut Program,
    first: NodeId,
    members: &[NodeId],
    used: &[Option<NodeId>],
) -> Result<()> {
    let mut results: Vec<(NodeId, Wanted)> = Vec::new();
    for (id, node) in program.nodes.iter().enumerate().filter(|(id, _)| used[*id].is_some()) {
        let Op::LoopResult(result) = &node.op else { continue };
        let source = node.inputs[0];
        if let (true, Op::LoopOverTime(op)) = (members.contains(&source), &program.nodes[source].op)
        {
            let wanted = match op.outputs.get(result.index) {
                Some(output) => Wanted::Output(output.value, output.reversed),
                None => Wanted::Carry(op.body.first_like(result.index - op.outputs.len())),
            };
            results.push((id, wanted));
        }
    }
    let Op::LoopOverTime(op) = program.nodes[first].op.clone() else { return Ok(()) };
    let wanted: BTreeSet<Wanted> = results.iter().map(|(_, wanted)| *wanted).collect();
    let pruned = Pruned::new(&op, &wanted);
    let op = simplified(pruned.op)?;
    for (id, wanted) in results {
        let index = pruned.results.iter().position(|kept| *kept == wanted);
        if let Some(result) = index.and_then(|index| op.result(index)) {
            program.nodes[id].op = result.into();
            program.nodes[id].inputs = vec![first];
        }
    }
    let inputs = pruned.inputs.iter().map(|&i| program.nodes[first].inputs[i]).collect();
    program.nodes[first].inputs = inputs;
    let specs: Vec<_> =
        program.nodes[first].inputs.iter().map(|&i| &program.nodes[i].spec).collect();
    let op = Op::from(op);
    program.nodes[first].spec = op.def().infer(&specs)?;
    program.nodes[first].op = op;
    Ok(())
}

/// A loop without what nobody needs.
struct Pruned {
    op: LoopOverTime,
    /// The inputs that are left.
    inputs: Vec<usize>,
    /// What the results are.
    results: Vec<Wanted>,
}

impl Pruned {
    fn new(op: &LoopOverTime, wanted: &BTreeSet<Wanted>) -> Pruned {
        let body = &op.body;
        let (mut outputs, mut carries) = (Vec::new(), BTreeSet::new());
        for &wanted in wanted {
            match wanted {
                Wanted::Output(value, reversed) => outputs.push(LoopOutput { value, reversed }),
                Wanted::Carry(k) => _ = carries.insert(k),
            }
        }
        // A carry that a needed value depends on is needed, and so is what its next value needs.
        let read = loop {
            let next = carries.iter().map(|&k| body.next[k]);
            let read = inputs_behind(&body.nodes, outputs.iter().map(|o| o.value).chain(next));
            let known = carries.len();
            carries.extend((0..body.carries()).filter(|k| read.contains(&(body.sequences + k))));
            if carries.len() == known {
                break read;
            }
        };
        let keeps = |&i: &usize| match i.checked_sub(body.sequences) {
            Some(k) if k < body.carries() => carries.contains(&k),
            _ => read.contains(&i),
        };
        let inputs: Vec<usize> = (0..body.inputs.len()).filter(keeps).collect();
        let results = outputs.iter().map(|o| Wanted::Output(o.value, o.reversed));
        let results = results.chain(carries.iter().map(|&k| Wanted::Carry(k))).collect();
        let body = LoopBody {
            inputs: inputs.iter().map(|&i| body.inputs[i].clone()).collect(),
            sequences: inputs.iter().filter(|&&i| i < body.sequences).count(),
            nodes: body.nodes.iter().map(|node| renumbered(node, &inputs)).collect(),
            next: carries.iter().map(|&k| body.next[k]).collect(),
        };
        let sequences = inputs.iter().filter_map(|&i| op.reversed.get(i).copied());
        let op = LoopOverTime {
            steps: op.steps,
            reversed: sequences.collect(),
            outputs,
            body: Arc::new(body),
        };
        Pruned { op, inputs, results }
    }
}

/// A node of a body of whose inputs only some are left.
fn renumbered(node: &Node, inputs: &[usize]) -> Node {
    let mut node = node.clone();
    if let Op::Input(input) = &mut node.op
        && let Some(index) = inputs.iter().position(|&i| i == input.index)
    {
        input.index = index;
    }
    node
}

/// The inputs of a body that some of its values depend on.
fn inputs_behind(nodes: &[Node], values: impl Iterator<Item = NodeId>) -> BTreeSet<usize> {
    let values: Vec<NodeId> = values.collect();
    let used = last_uses(nodes, &values);
    let used = nodes.iter().zip(used).filter(|(_, used)| used.is_some());
    used.filter_map(|(node, _)| match &node.op {
        Op::Input(input) => Some(input.index),
        _ => None,
    })
    .collect()
}

/// A loop whose body has gone through [`simplify`].
fn simplified(mut op: LoopOverTime) -> Result<LoopOverTime> {
    let mut program = op.program();
    simplify::run(&mut program)?;
    let (outputs, next) = program.outputs.split_at(op.outputs.len());
    op.outputs.iter_mut().zip(outputs).for_each(|(output, &id)| output.value = id);
    let LoopBody { inputs, sequences, .. } = (*op.body).clone();
    let next = next.to_vec();
    op.body = Arc::new(LoopBody { inputs, sequences, nodes: program.nodes, next });
    Ok(op)
}
