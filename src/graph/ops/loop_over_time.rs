//! A loop over time steps, whose body is written once.

use std::sync::Arc;

use crate::base::{DType, Error, Result, Spec};
use crate::graph::eval::{Leaves, eval};
use crate::graph::{FusionClass, Node, NodeId, OpDef, Value, Vjp};
use crate::tensor::{Array, Words};

/// What a loop does in one step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LoopBody {
    /// What each input of the loop is in one step: rows of sequences, carries, invariants.
    pub inputs: Vec<Spec>,
    /// How many inputs are sequences.
    pub sequences: usize,
    /// Operations; the leaf [`Input`](crate::graph::ops::Input) `i` is the loop's input `i` in one
    /// step.
    pub nodes: Vec<Node>,
    /// The next value of each carry.
    pub next: Vec<NodeId>,
}

/// A value of the body of which the loop keeps every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LoopOutput {
    /// The node of the body.
    pub value: NodeId,
    /// Whether the first step taken is the last row.
    pub reversed: bool,
}

/// Runs a body `steps` times. Inputs are sequences `[steps, …]`, the carries of the first step and
/// invariants, which are the same in every step.
///
/// The results are each output of the body, stacked on a new first axis, and the last carries. A
/// value has one spec, so the value of the loop is the words of all results, one behind the other;
/// [`LoopResult`] is one of them. No executor but the oracle ever puts them together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LoopOverTime {
    /// How often the body runs.
    pub steps: usize,
    /// For each sequence, whether the first step takes its last row.
    pub reversed: Vec<bool>,
    /// What the loop keeps of every step, the results in front of the last carries.
    pub outputs: Vec<LoopOutput>,
    /// What one step does.
    pub body: Arc<LoopBody>,
}

/// One result of a [`LoopOverTime`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LoopResult {
    /// Position among the results.
    pub index: usize,
    /// Words in front of it in the loop's value.
    pub start: usize,
    /// Shape and dtype of the result.
    pub spec: Spec,
}

impl LoopBody {
    /// How many values a step leaves to the next.
    pub fn carries(&self) -> usize {
        self.next.len()
    }

    /// The first input that is the same in every step.
    pub fn first_invariant(&self) -> usize {
        self.sequences + self.carries()
    }
}

impl LoopOverTime {
    /// Specs of the results: stacked outputs, last carries.
    pub fn results(&self) -> Vec<Spec> {
        let spec = |id: NodeId| &self.body.nodes[id].spec;
        let stacked = self.outputs.iter().map(|output| stacked(spec(output.value), self.steps));
        stacked.chain(self.body.next.iter().map(|&id| spec(id).clone())).collect()
    }

    /// The operation that takes one result out of the loop's value.
    pub fn result(&self, index: usize) -> Option<LoopResult> {
        let results = self.results();
        let start = results.iter().take(index).map(|spec| spec.shape.len()).sum();
        results.get(index).map(|spec| LoopResult { index, start, spec: spec.clone() })
    }

    /// The row of a sequence that a step takes, or of an output that it gives.
    pub fn row(&self, reversed: bool, step: usize) -> usize {
        if reversed { self.steps - 1 - step } else { step }
    }

    /// The values of all results, in order.
    fn run(&self, inputs: &[&Array]) -> Result<Vec<Array>> {
        let body = &self.body;
        let wanted: Vec<NodeId> =
            self.outputs.iter().map(|o| o.value).chain(body.next.iter().copied()).collect();
        let (sequences, rest) = inputs.split_at(body.sequences);
        let mut given: Vec<Array> = Vec::with_capacity(inputs.len());
        given.extend(body.inputs[..body.sequences].iter().map(|spec| Array::zeros(spec.clone())));
        given.extend(rest.iter().map(|&array| array.clone()));
        let mut results: Vec<Array> = self.results().into_iter().map(Array::zeros).collect();
        for step in 0..self.steps {
            for ((row, sequence), &reversed) in given.iter_mut().zip(sequences).zip(&self.reversed)
            {
                let len = row.len();
                row.words.copy_from(0, &sequence.words, self.row(reversed, step) * len, len);
            }
            let leaves = Leaves { inputs: &given, ..Leaves::default() };
            let mut values = eval(&body.nodes, &wanted, &leaves)?;
            let carries = values.split_off(self.outputs.len());
            for ((stack, value), output) in results.iter_mut().zip(&values).zip(&self.outputs) {
                let row = self.row(output.reversed, step) * value.len();
                stack.words.copy_from(row, &value.words, 0, value.len());
            }
            given.splice(body.sequences..body.first_invariant(), carries);
        }
        results.truncate(self.outputs.len());
        results.extend(given.drain(body.sequences..body.first_invariant()));
        Ok(results)
    }
}

/// The spec of `steps` values, one behind the other on a new first axis.
pub fn stacked(spec: &Spec, steps: usize) -> Spec {
    Spec::new([&[steps], spec.shape.as_slice()].concat(), spec.dtype)
}

impl OpDef for LoopOverTime {
    fn label(&self) -> String {
        format!("loop over {} steps", self.steps)
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        let body = &self.body;
        let expected: Vec<Spec> = body
            .inputs
            .iter()
            .enumerate()
            .map(
                |(i, spec)| {
                    if i < body.sequences { stacked(spec, self.steps) } else { spec.clone() }
                },
            )
            .collect();
        if !inputs.iter().copied().eq(&expected) {
            let list = |specs: Vec<String>| specs.join(", ");
            return Err(Error::shape(
                self.label(),
                list(inputs.iter().map(ToString::to_string).collect()),
                list(expected.iter().map(ToString::to_string).collect()),
            ));
        }
        let carries = &body.inputs[body.sequences..body.first_invariant()];
        if !body.next.iter().map(|&id| &body.nodes[id].spec).eq(carries) {
            return Err(Error::Internal("a loop changes the spec of a carry".into()));
        }
        let mut words = 0usize;
        for spec in self.results() {
            words = words.saturating_add(spec.shape.checked_len()?);
        }
        Ok(Spec::new([words], DType::UInt32))
    }

    /// Gradients are those of results: [`Graph::grad`](crate::graph::Graph::grad) gathers them all
    /// before it differentiates the loop.
    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        vec![None; cx.inputs.len()]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let results = self.run(inputs)?;
        let words = results.iter().flat_map(|r| bytemuck::cast_slice::<u8, u32>(r.word_bytes()));
        Ok(Array { spec: output.clone(), words: Words::U32(words.copied().collect()) })
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Opaque
    }
}

impl OpDef for LoopResult {
    fn label(&self) -> String {
        format!("result {}", self.index)
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        let end = self.start.saturating_add(self.spec.shape.checked_len()?);
        if inputs[0].shape.len() < end {
            let expected = format!("a loop with {end} words of results");
            return Err(Error::shape(self.label(), inputs[0].to_string(), expected));
        }
        Ok(self.spec.clone())
    }

    /// See [`LoopOverTime`]'s.
    fn vjp<'g>(&self, _: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        vec![None]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let range = self.start * 4..(self.start + output.shape.len()) * 4;
        let bytes = inputs[0].word_bytes().get(range);
        let bytes = bytes.ok_or_else(|| Error::Internal("a result outside its loop".into()))?;
        Ok(Array::from_word_bytes(output.clone(), bytes))
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Leaf
    }
}
