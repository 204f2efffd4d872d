//! Loops over time steps: what recurrent layers are written with.

use crate::base::{Error, Result, Spec};
use crate::graph::{Graph, Value};

/// What a loop's body gives for one step, and what a loop gives as a whole: outputs and carries.
pub type Step<'g> = (Vec<Value<'g>>, Vec<Value<'g>>);

impl Graph {
    /// Runs `body` over the first axis of `sequences`, `steps` times, from the last step to the first
    /// if `go_backwards`.
    ///
    /// The body gets this step of every sequence, without the time axis, and the carries; it gives
    /// the outputs of the step and the next carries, which have the specs of `carries`. It may use any
    /// value of this graph, but sees values of a step only through sequences and carries: it must
    /// write the same operations every time it is called.
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
        mut body: impl FnMut(&[Value<'g>], &[Value<'g>]) -> Result<Step<'g>>,
    ) -> Result<Step<'g>> {
        for sequence in sequences {
            if sequence.shape().first() != Some(&steps) && !self.has_failed() {
                let expected = format!("{steps} steps along the first axis");
                return Err(Error::shape("loop over time", sequence.spec().to_string(), expected));
            }
        }
        let mut carries = carries.to_vec();
        if steps == 0 || self.has_failed() {
            let (outputs, next) = body(&self.blank_step(sequences), &carries)?;
            self.check_carries(&carries, &next)?;
            return Ok((outputs.iter().map(|y| self.no_steps(*y)).collect(), carries));
        }
        let mut stacks: Vec<Vec<Value<'g>>> = Vec::new();
        for step in 0..steps {
            let time = if go_backwards { steps - 1 - step } else { step };
            let inputs: Vec<Value<'g>> = sequences.iter().map(|x| row(*x, time)).collect();
            let (outputs, next) = body(&inputs, &carries)?;
            self.check_carries(&carries, &next)?;
            carries = next;
            stacks.resize(outputs.len(), Vec::new());
            for (stack, output) in stacks.iter_mut().zip(outputs) {
                let shape = output.shape();
                stack.push(output.reshape(with_time(&shape, 1)));
            }
        }
        Ok((stacks.iter().map(|stack| self.concat(stack, 0)).collect(), carries))
    }

    /// Zeros with the spec of one step of each sequence.
    fn blank_step<'g>(&'g self, sequences: &[Value<'g>]) -> Vec<Value<'g>> {
        let blank = |x: &Value<'g>| {
            let shape = x.shape();
            self.scalar(0.0, x.dtype()).broadcast(shape.get(1..).unwrap_or_default().to_vec())
        };
        sequences.iter().map(blank).collect()
    }

    /// An output of no steps.
    fn no_steps<'g>(&'g self, output: Value<'g>) -> Value<'g> {
        self.scalar(0.0, output.dtype()).broadcast(with_time(&output.shape(), 0))
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

/// One step of a sequence, without the time axis.
fn row(sequence: Value<'_>, time: usize) -> Value<'_> {
    let shape = sequence.shape();
    sequence.narrow(0, time, 1).reshape(shape.get(1..).unwrap_or_default().to_vec())
}

fn with_time(shape: &[usize], steps: usize) -> Vec<usize> {
    [&[steps], shape].concat()
}
