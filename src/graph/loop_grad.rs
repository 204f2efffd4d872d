//! The gradient of a loop over time: a loop back through its steps.
//!
//! The loop back reads what each step had: rows of sequences, the carries it began with, and results
//! of products and reductions, which the forward loop keeps for it; everything between is computed
//! again, element by element. Its carries are the gradients of the carries. What the steps want of a
//! matrix that is the same in all of them is not summed step by step: the operands of its products are
//! stacked, and one product behind the loop sums over all steps.

use std::collections::BTreeMap;

use crate::base::{Error, Result};
use crate::graph::grad::Tape;
use crate::graph::loops::{LoopInputs, StepInputs};
use crate::graph::ops::{Conv, ConvKind, LoopBody, LoopOutput, LoopOverTime, MatMul, stacked};
use crate::graph::{FusionClass, Graph, NodeId, Op, Value};

/// Gradient of a result, by its position among all results.
pub(super) type Known<'g> = [(usize, Value<'g>)];

impl Graph {
    /// Gradients with respect to the inputs of a loop, from those of its results that have one.
    ///
    /// # Errors
    /// If an operation of the body is not what its loop says it is.
    pub(super) fn loop_grad<'g>(
        &'g self,
        op: &LoopOverTime,
        inputs: &[Value<'g>],
        known: &Known<'g>,
    ) -> Result<Vec<Option<Value<'g>>>> {
        let roles = Roles::of(&op.body);
        let history = History::of(self, op, inputs, &roles);
        let back = LoopBack { graph: self, op, inputs, roles: &roles, history: &history };
        let (rows, carries, outside) = back.run(known)?;
        let fixed = back.fixed_grads(outside)?;
        let body = &op.body;
        let grad = |i: usize| match i.checked_sub(body.sequences) {
            None => rows.get(&i).copied(),
            Some(k) if k < body.carries() => carries.get(&k).copied(),
            Some(_) => fixed.get(&i).copied(),
        };
        Ok((0..inputs.len()).map(grad).collect())
    }
}

/// What the values of a body are on the way back.
struct Roles {
    /// Whether a value is the same in every step.
    fixed: Vec<bool>,
    /// Whether a gradient may flow to or through it.
    depends: Vec<bool>,
    /// Whether the forward loop keeps it, since computing it again costs more than reading it.
    kept: Vec<bool>,
    /// Elements of the largest value that changes from step to step.
    largest: usize,
}

impl Roles {
    fn of(body: &LoopBody) -> Roles {
        let n = body.nodes.len();
        let mut roles = Roles {
            fixed: vec![false; n],
            depends: vec![false; n],
            kept: vec![false; n],
            largest: 0,
        };
        for (id, node) in body.nodes.iter().enumerate() {
            let class = node.op.def().fusion();
            roles.fixed[id] = match &node.op {
                Op::Input(input) => input.index >= body.first_invariant(),
                _ => node.inputs.iter().all(|&i| roles.fixed[i]),
            };
            let source = matches!(node.op, Op::Input(_)) && node.spec.dtype.is_float();
            let inherited = node.inputs.iter().any(|&i| roles.depends[i]);
            roles.depends[id] = source || inherited && node.spec.dtype != crate::base::DType::Bool;
            let heavy = match &node.op {
                Op::LoopOverTime(_) => false,
                Op::LoopResult(_) => true,
                _ => {
                    matches!(class, FusionClass::Anchor | FusionClass::Reduce | FusionClass::Opaque)
                }
            };
            if !roles.fixed[id] {
                roles.kept[id] = heavy;
                roles.largest = roles.largest.max(node.spec.shape.len());
            }
        }
        roles
    }
}

/// What every step had, stacked in the order of the steps.
struct History<'g> {
    /// Values that the forward loop keeps, by their place in the body.
    kept: BTreeMap<NodeId, Value<'g>>,
    /// The carries that each step began with.
    carries: Vec<Value<'g>>,
    /// Values of the body that are the same in every step, by their place in it.
    fixed: BTreeMap<NodeId, Value<'g>>,
}

impl<'g> History<'g> {
    /// Writes the loop once more, with more outputs; a pass makes one of both.
    fn of(graph: &'g Graph, op: &LoopOverTime, inputs: &[Value<'g>], roles: &Roles) -> History<'g> {
        let body = &op.body;
        let kept: Vec<NodeId> = (0..body.nodes.len()).filter(|&id| roles.kept[id]).collect();
        let mut longer = op.clone();
        let all = kept.iter().chain(&body.next);
        longer.outputs.extend(all.map(|&value| LoopOutput { value, reversed: false }));
        let ids: Vec<NodeId> = inputs.iter().map(|v| v.id()).collect();
        let (outputs, _) = graph.results_of(longer, &ids);
        let mut stacks = outputs.into_iter().skip(op.outputs.len());
        let kept = kept.into_iter().zip(stacks.by_ref()).collect();
        let first = &inputs[body.sequences..body.first_invariant()];
        let carries = first.iter().zip(stacks).map(|(&first, after)| {
            let shape = stacked(&first.spec(), 1).shape;
            let before = [first.reshape(shape), after.narrow(0, 0, op.steps - 1)];
            graph.concat(if op.steps == 1 { &before[..1] } else { &before }, 0)
        });
        let carries = carries.collect();
        let mut fixed: BTreeMap<NodeId, Value<'g>> = BTreeMap::new();
        for (id, node) in body.nodes.iter().enumerate().filter(|(id, _)| roles.fixed[*id]) {
            let value = match &node.op {
                Op::Input(input) => inputs[input.index],
                op => {
                    let ids: Vec<NodeId> = node.inputs.iter().map(|i| fixed[i].id()).collect();
                    graph.push(op.clone(), &ids)
                }
            };
            fixed.insert(id, value);
        }
        History { kept, carries, fixed }
    }
}

/// A loop back under construction.
struct LoopBack<'a, 'g> {
    graph: &'g Graph,
    op: &'a LoopOverTime,
    inputs: &'a [Value<'g>],
    roles: &'a Roles,
    history: &'a History<'g>,
}

/// Gradients behind the loop, of values that are the same in every step.
type Outside<'g> = Vec<(NodeId, Value<'g>)>;

/// Gradients by position: of sequences, of carries, and of what is fixed.
type Grads<'g> = (BTreeMap<usize, Value<'g>>, BTreeMap<usize, Value<'g>>, Outside<'g>);

/// What an output of the loop back is for.
enum Purpose<'g> {
    /// The gradient of a sequence.
    Sequence(usize),
    /// The gradient of a fixed value in each step.
    Fixed(NodeId),
    /// The gradient of a product in each step; its operand that is not fixed, stacked, or `None` where
    /// that is the next output.
    Product(NodeId, Option<Value<'g>>),
    /// The operand of the product in front.
    Operand,
}

/// What a step back gives.
#[derive(Default)]
struct Found<'g> {
    purposes: Vec<Purpose<'g>>,
    outputs: Vec<(Value<'g>, bool)>,
    /// Gradients of products with a fixed operand.
    products: Vec<(NodeId, Value<'g>)>,
    /// Other gradients of fixed values.
    fixed: BTreeMap<NodeId, Value<'g>>,
}

impl<'g> Found<'g> {
    fn push(&mut self, purpose: Purpose<'g>, value: Value<'g>, reversed: bool) {
        self.purposes.push(purpose);
        self.outputs.push((value, reversed));
    }

    fn add(&mut self, id: NodeId, part: Value<'g>) {
        let sum = self.fixed.get(&id).map_or(part, |&sum| sum + part);
        self.fixed.insert(id, sum);
    }
}

impl<'g> LoopBack<'_, 'g> {
    /// Writes the loop back.
    fn run(&self, known: &Known<'g>) -> Result<Grads<'g>> {
        let (body, history) = (&self.op.body, self.history);
        let outputs = self.op.outputs.len();
        let (stacks, last): (Vec<_>, Vec<_>) = known.iter().partition(|(i, _)| *i < outputs);
        let mut sequences: Vec<(Value<'g>, bool)> = self
            .inputs
            .iter()
            .zip(&self.op.reversed)
            .map(|(&x, &reversed)| (x, !reversed))
            .collect();
        sequences.extend(history.kept.values().chain(&history.carries).map(|&x| (x, true)));
        sequences.extend(stacks.iter().map(|&&(i, g)| (g, !self.op.outputs[i].reversed)));
        let (floats, summed) = (self.float_carries(), self.summed());
        let last = |k: usize| {
            let parts = last.iter().filter(|(i, _)| *i == outputs + k).map(|(_, g)| *g);
            let zeros = || self.zeros(body.sequences + k);
            parts.reduce(|a, b| a + b).unwrap_or_else(zeros)
        };
        let mut carries: Vec<Value<'g>> = floats.iter().map(|&k| last(k)).collect();
        carries.extend(summed.iter().map(|id| history.fixed[id].like(0.0)));
        let inputs = LoopInputs { steps: self.op.steps, sequences: &sequences, carries: &carries };
        let seeds: Vec<usize> = stacks.iter().map(|(i, _)| *i).collect();
        let mut purposes = Vec::new();
        let (stacks, last) = self.graph.loop_of(&inputs, |given| {
            let (found, next) = self.step(given, &seeds, &floats, &summed)?;
            purposes = found.purposes;
            Ok((found.outputs, next))
        })?;
        let mut rows = BTreeMap::new();
        let mut outside: Outside<'g> = Vec::new();
        for (i, purpose) in purposes.into_iter().enumerate() {
            match purpose {
                Purpose::Sequence(sequence) => _ = rows.insert(sequence, stacks[i]),
                Purpose::Fixed(id) => outside.push((id, stacks[i].sum(&[0]))),
                Purpose::Product(id, operand) => {
                    let operand = operand.unwrap_or_else(|| stacks[i + 1]);
                    let fixed = body.nodes[id].inputs[1];
                    outside.push((fixed, self.product(id, operand, stacks[i])?));
                }
                Purpose::Operand => {}
            }
        }
        outside.extend(summed.iter().copied().zip(last[floats.len()..].iter().copied()));
        Ok((rows, floats.into_iter().zip(last).collect(), outside))
    }

    fn zeros(&self, input: usize) -> Value<'g> {
        let spec = &self.op.body.inputs[input];
        self.graph.scalar(0.0, spec.dtype).broadcast(spec.shape.clone())
    }

    fn float_carries(&self) -> Vec<usize> {
        let body = &self.op.body;
        let is_float = |&k: &usize| body.inputs[body.sequences + k].dtype.is_float();
        (0..body.carries()).filter(is_float).collect()
    }

    /// Fixed values whose gradient is summed step by step, because it would be too large to stack.
    fn summed(&self) -> Vec<NodeId> {
        let body = &self.op.body;
        let mut summed = Vec::new();
        for (id, node) in body.nodes.iter().enumerate().filter(|(id, _)| !self.roles.fixed[*id]) {
            for (position, &input) in node.inputs.iter().enumerate() {
                let large = body.nodes[input].spec.shape.len() > self.roles.largest;
                let wanted = self.roles.fixed[input] && self.roles.depends[input];
                if wanted && large && !self.is_product(id, position) && !summed.contains(&input) {
                    summed.push(input);
                }
            }
        }
        summed
    }

    /// Whether the gradient of an operand is a product that can sum over all steps.
    fn is_product(&self, id: NodeId, position: usize) -> bool {
        let nodes = &self.op.body.nodes;
        let one = |operand: NodeId| nodes[operand].spec.shape.first() == Some(&1);
        match (&nodes[id].op, nodes[id].inputs.as_slice()) {
            (Op::MatMul(_), &[a, b]) => position == 1 && !self.roles.fixed[a] && one(b),
            (Op::Conv(conv), &[x, _]) => {
                conv.kind == ConvKind::Forward && position == 1 && !self.roles.fixed[x]
            }
            _ => false,
        }
    }

    /// One step back: what it gives, and the gradients of the carries before the step.
    fn step(
        &self,
        given: &StepInputs<'g>,
        seeds: &[usize],
        floats: &[usize],
        summed: &[NodeId],
    ) -> Result<(Found<'g>, Vec<Value<'g>>)> {
        let body = &self.op.body;
        let values = self.values(&given.rows);
        let (before, rest) = given.carries.split_at(floats.len());
        let stacks = &given.rows[given.rows.len() - seeds.len()..];
        let outputs = seeds.iter().map(|&i| self.op.outputs[i].value);
        let next = floats.iter().map(|&k| body.next[k]);
        let parts = outputs.chain(next).zip(stacks.iter().chain(before));
        let mut found = Found::default();
        let mut grads: Vec<Option<Value<'g>>> = vec![None; body.nodes.len()];
        for (id, &part) in parts {
            match self.roles.fixed[id] {
                true => found.add(id, part),
                false => grads[id] = Some(grads[id].map_or(part, |sum| sum + part)),
            }
        }
        let at = |id: NodeId| (body.nodes[id].op.clone(), body.nodes[id].inputs.clone());
        let value = |id: NodeId| values[id];
        let depends = &self.roles.depends;
        let tape = Tape { graph: self.graph, at: &at, value: &value, depends };
        tape.walk(&mut grads, &mut |flow| {
            let input = body.nodes[flow.from].inputs[flow.position];
            match flow.grad.filter(|_| self.is_product(flow.from, flow.position)) {
                _ if !self.roles.fixed[input] => return true,
                Some(grad) => found.products.push((flow.from, grad)),
                None => found.add(input, flow.part),
            }
            false
        })?;
        let grad_of = |input: usize| {
            let is_input = |op: &Op| matches!(op, Op::Input(i) if i.index == input);
            body.nodes.iter().position(|node| is_input(&node.op)).and_then(|id| grads[id])
        };
        for (i, &reversed) in self.op.reversed.iter().enumerate() {
            if let Some(grad) = grad_of(i) {
                found.push(Purpose::Sequence(i), grad, !reversed);
            }
        }
        for (id, grad) in std::mem::take(&mut found.products) {
            let operand = body.nodes[id].inputs[0];
            let stack = self.stack_of(operand);
            found.push(Purpose::Product(id, stack), grad, true);
            if stack.is_none() {
                found.push(Purpose::Operand, values[operand], true);
            }
        }
        let carry = |&k: &usize| {
            let input = body.sequences + k;
            grad_of(input).unwrap_or_else(|| self.zeros(input))
        };
        let mut next: Vec<Value<'g>> = floats.iter().map(carry).collect();
        for (id, &sum) in summed.iter().zip(rest) {
            next.push(found.fixed.remove(id).map_or(sum, |part| sum + part));
        }
        for (id, part) in std::mem::take(&mut found.fixed) {
            found.push(Purpose::Fixed(id), part, true);
        }
        Ok((found, next))
    }

    /// The values of the body in one step, from the rows of the loop back.
    fn values(&self, rows: &[Value<'g>]) -> Vec<Value<'g>> {
        let (body, history) = (&self.op.body, self.history);
        let (sequences, rest) = rows.split_at(body.sequences);
        let (kept, carries) = rest.split_at(history.kept.len());
        let kept: BTreeMap<NodeId, Value<'g>> =
            history.kept.keys().copied().zip(kept.iter().copied()).collect();
        let mut values: Vec<Value<'g>> = Vec::with_capacity(body.nodes.len());
        for (id, node) in body.nodes.iter().enumerate() {
            let known = history.fixed.get(&id).or_else(|| kept.get(&id)).copied();
            values.push(match (known, &node.op) {
                (Some(value), _) => value,
                (None, Op::Input(input)) => match input.index.checked_sub(body.sequences) {
                    None => sequences[input.index],
                    Some(k) => carries[k],
                },
                (None, op) => {
                    let ids: Vec<NodeId> = node.inputs.iter().map(|&i| values[i].id()).collect();
                    self.graph.push(op.clone(), &ids)
                }
            });
        }
        values
    }

    /// A value of the body in all steps, in their order, where that is at hand.
    fn stack_of(&self, id: NodeId) -> Option<Value<'g>> {
        let node = &self.op.body.nodes[id];
        if let Some(&stack) = self.history.kept.get(&id) {
            return Some(stack);
        }
        match &node.op {
            Op::Input(input) => match self.op.reversed.get(input.index) {
                Some(true) => Some(self.inputs[input.index].reverse(&[0])),
                Some(false) => Some(self.inputs[input.index]),
                None => self.history.carries.get(input.index - self.op.body.sequences).copied(),
            },
            Op::Reshape(_) => {
                let stack = self.stack_of(node.inputs[0])?;
                Some(stack.reshape(stacked(&node.spec, self.op.steps).shape))
            }
            Op::Cast(cast) => Some(self.stack_of(node.inputs[0])?.cast(cast.dtype)),
            _ => None,
        }
    }

    /// What all steps want of the second operand of a product, from the stacks of the first one and of
    /// the result's gradient.
    fn product(&self, id: NodeId, operand: Value<'g>, grad: Value<'g>) -> Result<Value<'g>> {
        match &self.op.body.nodes[id].op {
            Op::MatMul(MatMul { transpose_a, transpose_b }) => {
                let a = if *transpose_a { operand.transpose(&[0, 1, 3, 2]) } else { operand };
                let [a, g] = [a, grad].map(|x| {
                    let columns = x.extent(3);
                    x.reshape([1, x.shape().iter().take(3).product(), columns])
                });
                Ok(match transpose_b {
                    true => g.matmul_flags(a, true, false),
                    false => a.matmul_flags(g, true, false),
                })
            }
            Op::Conv(conv) => {
                let mut geometry = conv.geometry;
                geometry.batch = geometry.batch.saturating_mul(self.op.steps);
                let x = operand.reshape(geometry.x_shape());
                let g = grad.reshape(geometry.y_shape());
                Ok(self.graph.apply(Conv { geometry, kind: ConvKind::FilterGrad }, &[x, g]))
            }
            other => Err(Error::Internal(format!("{} is no product", other.def().label()))),
        }
    }

    /// Gradients of the loop's inputs that are the same in every step, by position.
    fn fixed_grads(&self, outside: Outside<'g>) -> Result<BTreeMap<usize, Value<'g>>> {
        let nodes = &self.op.body.nodes;
        let mut grads: Vec<Option<Value<'g>>> = vec![None; nodes.len()];
        for (id, part) in outside {
            grads[id] = Some(grads[id].map_or(part, |sum| sum + part));
        }
        let at = |id: NodeId| (nodes[id].op.clone(), nodes[id].inputs.clone());
        let value = |id: NodeId| self.history.fixed[&id];
        let depends = &self.roles.depends;
        Tape { graph: self.graph, at: &at, value: &value, depends }
            .walk(&mut grads, &mut |_| true)?;
        let by_input = nodes.iter().zip(grads).filter_map(|(node, grad)| match &node.op {
            Op::Input(input) => grad.map(|grad| (input.index, grad)),
            _ => None,
        });
        Ok(by_input.collect())
    }
}
