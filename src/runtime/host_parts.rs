//! A program on the host for some of the samples at a time, where each goes its own way: what lies
//! between the regions then stays in the processor's caches.

use std::sync::Arc;
use std::time::Duration;

use crate::base::{Error, Result};
use crate::program::pass::samples;
use crate::program::{Options, Program};
use crate::runtime::compiled::{PlanSummary, Target, summarize};
use crate::runtime::host::HostPlan;
use crate::tensor::Tensor;

/// Bytes of values that are alive at a time which caches are likely to hold.
const CACHED: usize = 16 << 20;

/// A program and its plan for a part of the samples, or for all of them.
pub struct HostParts {
    /// What the plan is for, when that is a part.
    part: Option<Box<Program>>,
    /// How many runs of the plan are one of the program.
    count: usize,
    plan: HostPlan,
}

impl HostParts {
    /// The plan of an optimised program, with what people read about it.
    ///
    /// # Errors
    /// [`Error::Internal`] if a pass has broken the program.
    pub fn new(program: &Program, options: &Options) -> Result<(HostParts, PlanSummary)> {
        let mut summary = summarize(program, options, Target::Host)?.2;
        let mut chosen = (None, 1);
        if let Some(count) = count(program, summary.peak_live)
            && let Some(part) = samples::part(program, count)
        {
            summary = summarize(&part, options, Target::Host)?.2;
            for region in &mut summary.regions {
                region.cost = region.cost * count as u64;
            }
            chosen = (Some(Box::new(part)), count);
        }
        let (part, count) = chosen;
        let plan = HostPlan::new(part.as_deref().unwrap_or(program), options, &Arc::default())?;
        Ok((HostParts { part, count, plan }, summary))
    }

    /// Computes the returned outputs.
    ///
    /// # Errors
    /// Those of reading weights, and [`Error::Internal`].
    pub fn run(&self, program: &Program, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let Some(part) = &self.part else { return self.plan.run(program, inputs) };
        let runs = (0..self.count).map(|i| self.plan.run(part, &self.inputs(i, inputs)?));
        let runs = runs.collect::<Result<Vec<_>>>()?;
        let joined = |output: usize| {
            let parts: Vec<&Tensor> = runs.iter().filter_map(|run| run.get(output)).collect();
            Tensor::concat_rows(&parts)
        };
        (0..program.returned()).map(joined).collect()
    }

    /// Computes the outputs, sets no variable, and gives the position of each region and its time, all
    /// parts together.
    ///
    /// # Errors
    /// As [`run`](HostParts::run).
    pub fn run_timed(
        &self,
        program: &Program,
        inputs: &[Tensor],
    ) -> Result<Vec<(usize, Duration)>> {
        let Some(part) = &self.part else { return self.plan.run_timed(program, inputs) };
        let mut sums: Vec<(usize, Duration)> = Vec::new();
        for i in 0..self.count {
            let times = self.plan.run_timed(part, &self.inputs(i, inputs)?)?;
            if sums.is_empty() {
                sums = times;
            } else {
                sums.iter_mut().zip(times).for_each(|(sum, (_, time))| sum.1 += time);
            }
        }
        Ok(sums)
    }

    /// Reads the variables that are not there yet, and computes what depends on variables only.
    ///
    /// # Errors
    /// As [`run`](HostParts::run).
    pub fn warm_up(&self, program: &Program) -> Result<()> {
        self.plan.warm_up(self.part.as_deref().unwrap_or(program)).map(|_| ())
    }

    /// The inputs of a part.
    fn inputs(&self, part: usize, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let rows = |input: &Tensor| {
            let rows = input.shape().first().map(|rows| rows / self.count);
            let rows = rows.ok_or_else(|| Error::Internal("a part of a scalar".into()))?;
            input.rows(part * rows, rows)
        };
        inputs.iter().map(rows).collect()
    }
}

/// Into how many parts the samples fall so that a part's values are likely to be cached; none, when
/// they are so in one or there is one sample.
fn count(program: &Program, alive: usize) -> Option<usize> {
    let samples = *program.inputs.first()?.shape.first()?;
    let same = program.inputs.iter().all(|input| input.shape.first() == Some(&samples));
    if !same || alive <= CACHED {
        return None;
    }
    (2..=samples)
        .filter(|&count| samples.is_multiple_of(count))
        .find(|&count| alive / count <= CACHED || count == samples)
}
