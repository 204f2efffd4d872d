//! A program made ready for a device.

use std::time::Duration;
use std::{fmt, mem};

use crate::base::{Error, Result};
use crate::gpu::Kind;
use crate::program::pass::fuse::{self, Regions};
use crate::program::pass::memory::{self, Slots};
use crate::program::pass::{at_rest, attention, panels, rows};
use crate::program::region::{Region, RegionKind};
use crate::program::{Cost, Options, Pass, Program};
use crate::runtime::gpu_plan::GpuPlan;
use crate::runtime::host_parts::HostParts;
use crate::runtime::placement::Placement;
use crate::runtime::{Device, lower};
use crate::tensor::Tensor;

/// An optimised program with everything a device needs to run it again and again.
pub struct Compiled {
    program: Program,
    summary: PlanSummary,
    plan: Plan,
}

enum Plan {
    Gpu(GpuPlan),
    Host(HostParts),
}

/// What a plan consists of, for people to read.
#[derive(Clone, Debug, Default)]
pub struct PlanSummary {
    /// One line for each dispatch.
    pub regions: Vec<RegionSummary>,
    /// The same for what runs once per version of the variables.
    pub prelude: Vec<RegionSummary>,
    /// Bytes of each buffer for intermediate values.
    pub slots: Vec<usize>,
    /// Largest sum of values alive at one time, in bytes.
    pub peak_live: usize,
}

/// One region, for people to read.
#[derive(Clone, Debug, Default)]
pub struct RegionSummary {
    /// Path of the layer whose result it stores.
    pub scope: String,
    /// What it stores and where, and the operations in it.
    pub text: String,
    /// What it computes and moves in one run, all steps of a loop together.
    pub cost: Cost,
    /// How often a kernel is started for it in one run.
    pub dispatches: usize,
    /// Of a loop: what each step does.
    pub body: Vec<RegionSummary>,
}

impl Compiled {
    /// Optimises and compiles; `dump` sees the program after each pass. On a GPU, the variables that are
    /// not there yet are streamed to it meanwhile.
    ///
    /// # Errors
    /// If the device has too little memory or refuses a kernel, a variable cannot be read, or a row
    /// of one is too large for a binding.
    pub fn new(
        mut program: Program,
        device: &Device,
        options: &Options,
        dump: &mut dyn FnMut(&str, &Program),
    ) -> Result<Compiled> {
        program.optimize(options, dump)?;
        let mut summary = PlanSummary::default();
        let plan = match device {
            Device::Host => {
                let (plan, text) = HostParts::new(&program, options)?;
                summary = text;
                Plan::Host(plan)
            }
            Device::Gpu(gpu) => {
                let target = Target::Device(gpu.caps().kind, gpu.max_binding());
                panels::run(&mut program, gpu.max_binding())?;
                at_rest::run(&mut program)?;
                let variables = program.prelude.iter().flat_map(|inner| inner.variables.values());
                let variables: Vec<_> = variables.chain(program.variables.values()).collect();
                let placement = Placement::new(gpu, &variables)?;
                let plan = placement.stream_beside(|placement| {
                    let mut prelude = None;
                    if let Some(inner) = &program.prelude {
                        let (regions, slots, text) = summarize(inner, options, target)?;
                        summary.prelude = text.regions;
                        prelude = Some(GpuPlan::new(placement, inner, &regions, &slots, None)?);
                    }
                    let (regions, slots, text) = summarize(&program, options, target)?;
                    summary = PlanSummary { prelude: mem::take(&mut summary.prelude), ..text };
                    GpuPlan::new(placement, &program, &regions, &slots, prelude)
                });
                Plan::Gpu(plan?)
            }
        };
        Ok(Compiled { program, summary, plan })
    }

    /// What the plan for a GPU consists of, without making one: works on any machine.
    ///
    /// # Errors
    /// As [`new`](Compiled::new), as far as that needs no device.
    pub fn describe(program: &Program, options: &Options) -> Result<PlanSummary> {
        let target = Target::Device(Kind::Discrete, USUAL_BUFFER);
        let mut program = program.clone();
        at_rest::run(&mut program)?;
        let mut summary = summarize(&program, options, target)?.2;
        if let Some(prelude) = &program.prelude {
            summary.prelude = summarize(prelude, options, target)?.2.regions;
        }
        Ok(summary)
    }

    /// The program after all passes.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// What the plan consists of.
    pub fn summary(&self) -> &PlanSummary {
        &self.summary
    }

    /// Dispatches of one run; on the host, regions.
    pub fn dispatches(&self) -> usize {
        match &self.plan {
            Plan::Gpu(plan) => plan.dispatches(),
            Plan::Host(_) => dispatches(&self.summary.regions),
        }
    }

    /// Submits of one run, over which a GPU's dispatches are spread by their work; 0 on the host.
    pub fn submits(&self) -> usize {
        match &self.plan {
            Plan::Gpu(plan) => plan.submits(),
            Plan::Host(_) => 0,
        }
    }

    /// Bytes of buffers for intermediate values; 0 on the host, which allocates as it goes.
    pub fn scratch_bytes(&self) -> u64 {
        match &self.plan {
            Plan::Gpu(plan) => plan.scratch_bytes(),
            Plan::Host(_) => 0,
        }
    }

    /// Brings the weights to where they are computed with, and computes what depends on them only, so
    /// that the next run does not have to.
    ///
    /// # Errors
    /// Those of reading the weights and of the device.
    pub fn warm_up(&self) -> Result<()> {
        match &self.plan {
            Plan::Gpu(plan) => plan.warm_up(),
            Plan::Host(plan) => plan.warm_up(&self.program),
        }
    }

    /// Runs once without reading outputs or setting variables, and gives the time of each region:
    /// its position in the [`summary`](Compiled::summary)'s, and how long it took on the device.
    ///
    /// # Errors
    /// As [`run`](Compiled::run); [`Error::Unsupported`] where the adapter has no timestamps.
    pub fn run_timed(&self, inputs: &[Tensor]) -> Result<Vec<(usize, Duration)>> {
        let inputs: Vec<Tensor> = inputs.iter().map(Tensor::in_parts).collect();
        self.check(&inputs)?;
        match &self.plan {
            Plan::Gpu(plan) => plan.run_timed(),
            Plan::Host(plan) => plan.run_timed(&self.program, &inputs),
        }
    }

    /// Computes the outputs.
    ///
    /// # Errors
    /// When the inputs are not those the program was made for, and what the device reports.
    pub fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let inputs: Vec<Tensor> = inputs.iter().map(Tensor::in_parts).collect();
        self.check(&inputs)?;
        let mut outputs = match &self.plan {
            Plan::Gpu(plan) => plan.run(&self.program, &inputs),
            Plan::Host(plan) => plan.run(&self.program, &inputs),
        }?;
        for &i in &self.program.complex {
            outputs[i] = Tensor::from_parts(&outputs[i])?;
        }
        Ok(outputs)
    }

    /// Refuses inputs that the program was not made for.
    fn check(&self, inputs: &[Tensor]) -> Result<()> {
        let expected = &self.program.inputs;
        let fits = inputs.len() == expected.len()
            && inputs.iter().zip(expected).all(|(tensor, spec)| tensor.spec() == spec);
        if fits {
            return Ok(());
        }
        let list = |specs: Vec<String>| specs.join(", ");
        Err(Error::shape(
            "run",
            list(inputs.iter().map(|t| t.spec().to_string()).collect()),
            list(expected.iter().map(ToString::to_string).collect()),
        ))
    }
}

/// What regions are made for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Interprets regions: a value that is computed twice costs more than one that is stored.
    Host,
    /// Of a kind, and with so many bytes in the largest buffer.
    Device(Kind, u64),
}

/// Bytes of the largest buffer of a device that is not known.
const USUAL_BUFFER: u64 = 1 << 30;

/// Attention of fewer scores is computed with a matrix of them. A software adapter has no memory that
/// is nearer than any other and pays for barriers: there, only what would fill its memory is not.
fn least_scores(kind: Kind) -> usize {
    if kind == Kind::Software { 16 << 20 } else { 0 }
}

/// The most bytes of a slot in which values take turns; without the pass, none do.
fn largest_slot(target: Target, options: &Options) -> Option<usize> {
    let bytes = match target {
        Target::Host => USUAL_BUFFER,
        Target::Device(_, bytes) => bytes,
    };
    options.has(Pass::Memory).then(|| usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// The regions of an optimised program, their buffers, and both for people to read.
pub fn summarize(
    program: &Program,
    options: &Options,
    target: Target,
) -> Result<(Regions, Slots, PlanSummary)> {
    let fuses = options.has(Pass::Fuse);
    let mut regions = match target {
        Target::Host => fuse::run_on_host(program, fuses)?,
        Target::Device(..) => fuse::run(program, fuses)?,
    };
    if let Target::Device(kind, _) = target
        && fuses
        && options.has(Pass::Rows)
    {
        rows::run(program, &mut regions)?;
        if options.has(Pass::Attention) {
            attention::run(program, &mut regions, least_scores(kind))?;
        }
    }
    let slots = memory::run(program, &regions, largest_slot(target, options));
    let summary = PlanSummary {
        regions: summaries(program, &regions, &slots),
        prelude: Vec::new(),
        slots: slots.bytes.clone(),
        peak_live: slots.peak_live,
    };
    Ok((regions, slots, summary))
}

/// A summary of each region.
fn summaries(program: &Program, regions: &Regions, slots: &Slots) -> Vec<RegionSummary> {
    let summary = |region: &Region| {
        let mut summary = RegionSummary::of(program, region, slots);
        let inner = regions.loops.get(&region.root).zip(slots.loops.get(&region.root));
        if let Some((plan, slots)) = inner {
            summary.body = summaries(&plan.program, &plan.regions, slots);
            let each: Cost = summary.body.iter().map(|region| region.cost).sum();
            summary.cost = each * plan.op.steps as u64;
            summary.dispatches = plan.op.steps.saturating_mul(dispatches(&summary.body));
        }
        summary
    };
    regions.regions.iter().map(summary).collect()
}

/// How often a kernel is started for some regions.
fn dispatches(regions: &[RegionSummary]) -> usize {
    regions.iter().map(|region| region.dispatches).fold(0, usize::saturating_add)
}

impl RegionSummary {
    fn of(program: &Program, region: &Region, slots: &Slots) -> RegionSummary {
        let members: Vec<String> =
            region.members.iter().map(|&id| program.nodes[id].op.def().label()).collect();
        let kind = match region.kind {
            RegionKind::Map => "map".into(),
            RegionKind::Rows => region.rows.as_ref().map_or(String::new(), |plan| {
                format!("{} reductions in rows of {}", plan.combined.len(), plan.len)
            }),
            RegionKind::Reduce { anchor } => {
                format!("reduce of {}", lower::reduced_len(program, anchor))
            }
            RegionKind::Kernel { anchor } => program.nodes[anchor].op.def().label(),
            RegionKind::Attention { .. } => "attention".into(),
            RegionKind::Loop => "each step".into(),
        };
        let node = &program.nodes[region.root];
        let place = |id| {
            slots
                .of
                .get(&id)
                .map_or("output".into(), |s| format!("slot {} at {}", s.slot, s.offset))
        };
        let places: Vec<String> = region.stores(program).into_iter().map(place).collect();
        let (places, members) = (places.join(", "), members.join(" · "));
        RegionSummary {
            scope: node.scope.to_string(),
            text: format!("{} -> {places}: {kind} [{members}]", node.spec),
            cost: Cost::of(program, region),
            dispatches: 1,
            body: Vec::new(),
        }
    }

    /// The region's line, and behind it those of a loop's body.
    fn lines(&self, indent: usize) -> Vec<String> {
        let mut lines = vec![format!("{:indent$}{self}", "")];
        lines.extend(self.body.iter().flat_map(|region| region.lines(indent + 2)));
        lines
    }
}

impl fmt::Display for RegionSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.scope, self.text)
    }
}

impl fmt::Display for PlanSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.prelude.is_empty() {
            let count = dispatches(&self.prelude);
            writeln!(f, "once per version of the weights: {count} dispatches")?;
            let mut lines = self.prelude.iter().flat_map(|region| region.lines(2));
            lines.try_for_each(|line| writeln!(f, "{line}"))?;
        }
        writeln!(f, "each run: {} dispatches", dispatches(&self.regions))?;
        for (i, region) in self.regions.iter().enumerate() {
            writeln!(f, "  {i:>4} {region}")?;
            let mut lines = region.body.iter().flat_map(|region| region.lines(9));
            lines.try_for_each(|line| writeln!(f, "{line}"))?;
        }
        let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
        writeln!(
            f,
            "{} scratch buffers, {:.2} MiB; largest sum of live values {:.2} MiB",
            self.slots.len(),
            mib(self.slots.iter().sum()),
            mib(self.peak_live)
        )
    }
}
