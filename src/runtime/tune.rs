//! Measures the kernels that can compute what a plan computes.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use crate::base::{Error, Result};
use crate::gpu::{Choices, Gpu, KernelChoice};
use crate::graph::NodeId;
use crate::kernels::Access;
use crate::program::pass::fuse::Regions;
use crate::program::{Options, Program};
use crate::runtime::compiled::{Target, summarize};
use crate::runtime::lower::lower;
use crate::runtime::tune_sample::Sample;
use crate::runtime::tuning::{Tuned, Tuning};
use crate::runtime::{Compiled, Device, Times};
use crate::tensor::Tensor;

/// A kernel that takes so many times as long as another one is not run again.
const HOPELESS: f64 = 4.0;

/// The adapter's usual kernel is kept unless another one takes at most this part of its time.
const WORTH: f64 = 0.95;

/// What was found out about one problem.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The problem, such as `matmul 1x64x64x64 a_batch`.
    pub problem: String,
    /// Path of the layer in which it came first.
    pub scope: String,
    /// Every kernel that can compute it, the adapter's usual one first.
    pub kernels: Vec<(&'static str, Verdict)>,
    /// The kernel that is used from now on; `None` if none computes what the host computes.
    pub fastest: Option<&'static str>,
}

/// What was found out about a kernel.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It computes what the host computes, in so many seconds.
    Right(f64),
    /// It computes something else: what, and what the host does.
    Wrong(String),
    /// It could not be run.
    Failed(String),
}

/// A problem of a plan, and the region in which it came first as a program of its own.
struct Subject {
    choice: KernelChoice,
    scope: String,
    program: Program,
}

impl Tuning {
    /// Measures on a device every kernel that could compute something in the plans, each for about `span`,
    /// and compares what it computes with the host. `each` sees what is found problem by problem.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for the host, which has one kernel for each problem; what the device
    /// reports, except against a single kernel.
    pub fn measure(
        plans: &[&Compiled],
        device: &Device,
        span: Duration,
        each: &mut dyn FnMut(&Measured),
    ) -> Result<Tuning> {
        let Device::Gpu(gpu) = device else {
            let what = "tuning of the host, which has one kernel for each problem";
            return Err(Error::Unsupported(what.into()));
        };
        let mut subjects = Vec::new();
        for plan in plans {
            collect(plan.program(), gpu, &mut subjects)?;
        }
        let mut tuning = Tuning::default();
        for subject in &subjects {
            let measured = subject.measure(gpu, span)?;
            each(&measured);
            if let Some(tuned) = measured.tuned() {
                tuning.insert(gpu, measured.problem, tuned);
            }
        }
        Ok(tuning)
    }
}

impl Measured {
    /// What goes into the table.
    fn tuned(&self) -> Option<Tuned> {
        let time = |(kernel, verdict): &(&str, Verdict)| match verdict {
            Verdict::Right(seconds) => Some(((*kernel).to_owned(), *seconds)),
            Verdict::Wrong(_) | Verdict::Failed(_) => None,
        };
        let seconds: BTreeMap<String, f64> = self.kernels.iter().filter_map(time).collect();
        Some(Tuned { fastest: self.fastest?.to_owned(), seconds })
    }
}

/// Adds the problems of a program that have several kernels and are not there yet.
fn collect(program: &Program, gpu: &Gpu, subjects: &mut Vec<Subject>) -> Result<()> {
    if let Some(prelude) = &program.prelude {
        collect(prelude, gpu, subjects)?;
    }
    let (regions, ..) = summarize(
        program,
        &Options::default(),
        Target::Device(gpu.caps().kind, gpu.max_binding()),
    )?;
    collect_regions(program, &regions, gpu, subjects)
}

fn collect_regions(
    program: &Program,
    regions: &Regions,
    gpu: &Gpu,
    subjects: &mut Vec<Subject>,
) -> Result<()> {
    let dtype_of = |id: NodeId| program.nodes[id].spec.dtype;
    for region in &regions.regions {
        if let Some(plan) = regions.loops.get(&region.root) {
            collect_regions(&plan.program, &plan.regions, gpu, subjects)?;
            continue;
        }
        let launch = lower(program, region, gpu.caps(), &Access::whole(&dtype_of))?.launch;
        let known = |choice: &KernelChoice| subjects.iter().any(|s| s.choice == *choice);
        let choice = launch.choice.filter(|choice| !known(choice) && !launch.grid.contains(&0));
        if let Some((choice, part)) = choice.zip(program.extract(region)) {
            let scope = program.nodes[region.root].scope.to_string();
            subjects.push(Subject { choice, scope, program: part });
        }
    }
    Ok(())
}

impl Subject {
    /// Runs each kernel on numbers of any sign and on positive ones, which everything can be computed of.
    fn measure(&self, gpu: &Gpu, span: Duration) -> Result<Measured> {
        let samples =
            [Sample::new(&self.program, &(-1.0..1.0))?, Sample::new(&self.program, &(0.5..1.5))?];
        let mut kernels: Vec<(&'static str, Verdict)> = Vec::new();
        for &kernel in &self.choice.kernels {
            let best = kernels.iter().filter_map(|(_, verdict)| verdict.seconds());
            let best = best.fold(f64::INFINITY, f64::min);
            let tried = self.try_kernel(gpu, kernel, &samples, best, span);
            kernels.push(match tried {
                Ok(verdict) => (kernel, verdict),
                Err(error @ Error::DeviceLost(_)) => return Err(error),
                Err(error) => (kernel, Verdict::Failed(error.to_string())),
            });
        }
        let problem = self.choice.problem.clone();
        Ok(Measured { problem, scope: self.scope.clone(), fastest: fastest(&kernels), kernels })
    }

    fn try_kernel(
        &self,
        gpu: &Gpu,
        kernel: &'static str,
        samples: &[Sample; 2],
        best: f64,
        span: Duration,
    ) -> Result<Verdict> {
        let pair = (self.choice.problem.clone(), kernel.to_owned());
        let device = Device::Gpu(gpu.with_choices(Choices::from_iter([pair])));
        let plan =
            Compiled::new(self.program.clone(), &device, &Options::default(), &mut |_, _| {})?;
        if let Some(difference) = samples.iter().find_map(|sample| sample.wrong(&plan).transpose())
        {
            return Ok(Verdict::Wrong(difference?));
        }
        let once = time(&plan, &samples[0].inputs)?;
        if once > HOPELESS * best {
            return Ok(Verdict::Right(once));
        }
        let mut seconds = Vec::new();
        Times::of(span, || {
            seconds.push(time(&plan, &samples[0].inputs)?);
            Ok(())
        })?;
        Ok(Verdict::Right(Times::from(seconds.split_off(1)).least()))
    }
}

impl Verdict {
    fn seconds(&self) -> Option<f64> {
        match self {
            Verdict::Right(seconds) => Some(*seconds),
            Verdict::Wrong(_) | Verdict::Failed(_) => None,
        }
    }
}

impl fmt::Display for Verdict {
    /// Milliseconds, or what went wrong.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Right(seconds) => write!(f, "{:.3}", seconds * 1e3),
            Verdict::Wrong(what) => write!(f, "wrong: {what}"),
            Verdict::Failed(why) => write!(f, "failed: {why}"),
        }
    }
}

/// The kernel to use: the usual one unless it is not right, or another one is worth the change.
fn fastest(kernels: &[(&'static str, Verdict)]) -> Option<&'static str> {
    let right = |(kernel, verdict): &(&'static str, Verdict)| Some((*kernel, verdict.seconds()?));
    let right = kernels.iter().filter_map(right);
    let (best, least) = right.min_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let (usual, verdict) = kernels.first()?;
    let keep = verdict.seconds().is_some_and(|seconds| least > WORTH * seconds);
    Some(if keep { usual } else { best })
}

/// Seconds of a run on inputs that the device has: by its own clock where it has one.
fn time(plan: &Compiled, inputs: &[Tensor]) -> Result<f64> {
    let begin = Instant::now();
    match plan.run_timed(inputs) {
        Ok(times) => Ok(times.iter().map(|(_, time)| time.as_secs_f64()).sum()),
        Err(Error::Unsupported(_)) => {
            plan.run(inputs)?;
            Ok(begin.elapsed().as_secs_f64())
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_kernel_stays_unless_another_is_worth_it() {
        let right = |a, b| fastest(&[("usual", Verdict::Right(a)), ("other", Verdict::Right(b))]);
        assert_eq!(right(1.0, 0.97), Some("usual"));
        assert_eq!(right(1.0, 0.5), Some("other"));
        let wrong = || Verdict::Wrong(String::new());
        assert_eq!(fastest(&[("usual", wrong()), ("other", Verdict::Right(9.0))]), Some("other"));
        assert_eq!(fastest(&[("usual", Verdict::Right(9.0)), ("other", wrong())]), Some("usual"));
        assert_eq!(fastest(&[("usual", wrong())]), None);
    }
}
