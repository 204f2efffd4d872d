//! Loops over time steps: what recurrent layers are written with.

use crate::base::{Error, Result, Spec};
use crate::graph::loop_body::Written;
use crate::graph::ops::{LoopOutput, LoopOverTime, LoopResult, Placeholder, stacked};
use crate::graph::{Graph, LossOwner, NodeId, Op, Value};
use crate::tensor::Variable;

/// What a loop's body gives for one step, and what a loop gives as a whole: outputs and carries.
pub type Step<'g> = (Vec<Value<'g>>, Vec<Value<'g>>);

/// The inputs of a loop under construction.
pub(super) struct LoopInputs<'a, 'g> {
    pub steps: usize,
    /// Time-major values, and whether the first step takes the last row.
    pub sequences: &'a [(Value<'g>, bool)],
    pub carries: &'a [Value<'g>],
}

/// What a body is traced with: stand-ins for its inputs in one step.
pub(super) struct StepInputs<'g> {
    /// The first node of the body.
    mark: NodeId,
    pub rows: Vec<Value<'g>>,
    pub carries: Vec<Value<'g>>,
}

/// A body that is being traced.
pub(super) struct Frame {
    /// How many assignments the trace had before.
    assigns: usize,
    /// The losses that the trace had before.
    losses: Vec<(LossOwner, NodeId)>,
    /// What stands for the variables that the body has read.
    reads: Vec<(Variable, NodeId)>,
}

impl Frame {
    /// The position of the first assignment that the body has made.
    pub fn first_assign(&self) -> usize {
        self.assigns
    }

    fn read(&self, variable: &Variable) -> Option<NodeId> {
        let known = self.reads.iter().find(|(v, _)| v.id() == variable.id());
        known.map(|(_, id)| *id)
    }
}

/// What a body has done beside its outputs and carries.
struct Effects {
    reads: Vec<(Variable, NodeId)>,
    /// The last value given to each variable.
    assigns: Vec<(Variable, NodeId)>,
    losses: Vec<(LossOwner, NodeId)>,
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
    /// alone is computed once, in front of the loop. A variable that it assigns has the new value in
    /// the next step, and behind the loop; losses that it adds are summed over all steps.
    ///
    /// Returns the outputs, stacked on a new first axis in the order in which steps were taken, and
    /// the last carries. Without steps the outputs are empty and the carries come back as they were.
    ///
    /// # Errors
    /// If a sequence does not have `steps` as its first extent, if the carries change their specs or
    /// number, or what the body returns.
    pub fn loop_over_time<'g>(
        &'g self,
        steps: usize,
        go_backwards: bool,
        sequences: &[Value<'g>],
        carries: &[Value<'g>],
        body: impl FnOnce(&[Value<'g>], &[Value<'g>]) -> Result<Step<'g>>,
    ) -> Result<Step<'g>> {
        let sequences: Vec<_> = sequences.iter().map(|&x| (x, go_backwards)).collect();
        let inputs = LoopInputs { steps, sequences: &sequences, carries };
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
        let given = StepInputs {
            mark: self.len(),
            rows: inputs.sequences.iter().map(|(x, _)| self.placeholder(row(x.spec()))).collect(),
            carries: inputs.carries.iter().map(|x| self.placeholder(x.spec())).collect(),
        };
        self.enter_loop();
        let written = body(&given);
        let effects = self.leave_loop();
        let (mut outputs, next) = written?;
        self.check_carries(inputs.carries, &next)?;
        if inputs.steps == 0 || self.has_failed() {
            let none = |(y, _): &(Value<'g>, bool)| {
                let spec = stacked(&y.spec(), 0);
                self.scalar(0.0, spec.dtype).broadcast(spec.shape)
            };
            return Ok((outputs.iter().map(none).collect(), inputs.carries.to_vec()));
        }
        let wanted = (outputs.len(), next.len());
        outputs.extend(effects.losses.iter().map(|&(_, id)| (self.value(id), false)));
        let written = self.written(inputs, &given, &outputs, &next, &effects);
        let (operation, ids) = self.extract(&written);
        let (mut outputs, mut carries) = self.results_of(operation, &ids);
        for (&(owner, _), loss) in effects.losses.iter().zip(outputs.split_off(wanted.0)) {
            self.add_loss(owner, loss.sum(&[0]));
        }
        for ((variable, _), last) in effects.assigns.iter().zip(carries.split_off(wanted.1)) {
            self.assign(variable, last);
        }
        Ok((outputs, carries))
    }

    fn enter_loop(&self) {
        let mut inner = self.inner.borrow_mut();
        let (assigns, losses) = (inner.trace.assigns.len(), std::mem::take(&mut inner.losses));
        inner.loops.push(Frame { assigns, losses, reads: Vec::new() });
    }

    fn leave_loop(&self) -> Effects {
        let mut inner = self.inner.borrow_mut();
        let Some(frame) = inner.loops.pop() else {
            return Effects { reads: Vec::new(), assigns: Vec::new(), losses: Vec::new() };
        };
        let losses = std::mem::replace(&mut inner.losses, frame.losses);
        let mut assigns: Vec<(Variable, NodeId)> = Vec::new();
        for (variable, id) in inner.trace.assigns.split_off(frame.assigns) {
            match assigns.iter_mut().find(|(v, _)| v.id() == variable.id()) {
                Some(known) => known.1 = id,
                None => assigns.push((variable, id)),
            }
        }
        Effects { reads: frame.reads, assigns, losses }
    }

    /// The value that a variable has in a step of the innermost loop, before the step assigns it;
    /// `None` outside of loops.
    pub(super) fn read_in_loop(&self, variable: &Variable) -> Option<Value<'_>> {
        let known = self.inner.borrow().loops.last()?.read(variable);
        if let Some(id) = known {
            return Some(self.value(id));
        }
        let stand_in = self.placeholder(variable.spec().clone());
        let mut inner = self.inner.borrow_mut();
        inner.loops.last_mut()?.reads.push((variable.clone(), stand_in.id()));
        Some(stand_in)
    }

    /// What a body has written; assigned variables are further carries.
    fn written(
        &self,
        inputs: &LoopInputs<'_, '_>,
        given: &StepInputs<'_>,
        outputs: &[(Value<'_>, bool)],
        next: &[Value<'_>],
        effects: &Effects,
    ) -> Written {
        let sequences = inputs.sequences.iter().zip(&given.rows);
        let mut carries: Vec<(NodeId, NodeId, NodeId)> = Vec::with_capacity(next.len());
        for ((first, carry), next) in inputs.carries.iter().zip(&given.carries).zip(next) {
            carries.push((first.id(), carry.id(), next.id()));
        }
        let read = |variable: &Variable| {
            effects.reads.iter().find(|(v, _)| v.id() == variable.id()).map(|(_, id)| *id)
        };
        for (variable, next) in &effects.assigns {
            // A body need not read what it assigns.
            let stand_in =
                read(variable).unwrap_or_else(|| self.placeholder(variable.spec().clone()).id());
            carries.push((self.read(variable).id(), stand_in, *next));
        }
        let assigned = |(v, _): &&(Variable, NodeId)| {
            effects.assigns.iter().any(|(other, _)| other.id() == v.id())
        };
        let fixed = effects.reads.iter().filter(|read| !assigned(read));
        Written {
            steps: inputs.steps,
            mark: given.mark,
            sequences: sequences
                .map(|(&(x, reversed), row)| (x.id(), row.id(), reversed))
                .collect(),
            carries,
            fixed: fixed.map(|(variable, id)| (*id, self.read(variable).id())).collect(),
            outputs: outputs
                .iter()
                .map(|&(y, reversed)| LoopOutput { value: y.id(), reversed })
                .collect(),
        }
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
}
