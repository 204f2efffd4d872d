//! A loop on the host: the body's regions, step by step.

use std::sync::Arc;

use crate::base::{Error, Result};
use crate::graph::NodeId;
use crate::graph::ops::LoopOverTime;
use crate::program::pass::storage_of;
use crate::program::{Options, Program};
use crate::runtime::host::{HostPlan, Values};
use crate::runtime::host_value::{HostValue, Memory};
use crate::tensor::Array;

/// A loop and the plan of its body.
pub struct HostLoop {
    op: LoopOverTime,
    program: Program,
    body: HostPlan,
    memory: Arc<Memory>,
}

impl HostLoop {
    pub fn new(op: &LoopOverTime, options: &Options, memory: &Arc<Memory>) -> Result<HostLoop> {
        let program = op.program();
        let body = HostPlan::new(&program, options, memory)?;
        Ok(HostLoop { op: op.clone(), program, body, memory: Arc::clone(memory) })
    }

    /// Runs all steps of the loop that is node `id` and adds its results to the values.
    pub fn run(&self, program: &Program, id: NodeId, values: &mut Values) -> Result<()> {
        let given = program.nodes[id].inputs.iter().map(|&input| {
            let missing = || Error::Internal(format!("value %{input} is missing"));
            values[storage_of(program, input)].clone().ok_or_else(missing)
        });
        let given = given.collect::<Result<Vec<_>>>()?;
        let results = self.results(&given)?;
        for (index, result) in program.results_of(id) {
            values[result] = Some(Arc::clone(&results[index]));
        }
        Ok(())
    }

    fn results(&self, given: &[Arc<HostValue>]) -> Result<Vec<Arc<HostValue>>> {
        let body = &self.op.body;
        let outputs = self.op.outputs.len();
        let stacks =
            self.op.results().into_iter().take(outputs).map(|spec| self.memory.array(spec));
        let mut stacks: Vec<Array> = stacks.collect();
        let mut inputs = given.to_vec();
        for step in 0..self.op.steps {
            for (i, spec) in body.inputs[..body.sequences].iter().enumerate() {
                let mut row = self.memory.array(spec.clone());
                let first = self.op.row(self.op.reversed[i], step) * row.len();
                let len = row.len();
                row.words.copy_from(0, &given[i].words, first, len);
                let last = std::mem::replace(&mut inputs[i], Arc::new(HostValue::new(row)));
                self.memory.give(last);
            }
            let mut values = self.body.compute(&self.program, &inputs, &mut |_, _| ())?;
            let carries = values.split_off(outputs);
            for ((stack, value), output) in stacks.iter_mut().zip(&values).zip(&self.op.outputs) {
                let at = self.op.row(output.reversed, step) * value.len();
                stack.words.copy_from(at, &value.words, 0, value.len());
            }
            values.into_iter().for_each(|value| self.memory.give(value));
            let last = inputs.splice(body.sequences..body.first_invariant(), carries);
            last.for_each(|value| self.memory.give(value));
        }
        let carries = inputs.drain(body.sequences..body.first_invariant());
        let stacks = stacks.into_iter().map(|stack| Arc::new(HostValue::new(stack)));
        Ok(stacks.chain(carries).collect())
    }
}
