//! Steps of training and testing: their plans, and the state between them.

use std::sync::Arc;

use crate::base::error::quote;
use crate::base::{Error, Result, Spec};
use crate::graph::Graph;
use crate::layers::config::Json;
use crate::metrics::Direction;
use crate::models::Model;
use crate::optimizers::{LossScaleOptimizer, SharedOptimizer, Step, Weight, registry};
use crate::program::{Options, Program};
use crate::runtime::{Compiled, Device};
use crate::tensor::Tensor;
use crate::trainers::loss_scaling::LossScaling;
use crate::trainers::objectives::Objectives;
use crate::trainers::weights::{Trained, trained};
use crate::trainers::{Compile, Data, Logged, Logs};

/// Plans kept; a full and a last batch, in training and in testing, need four.
const PLANS: usize = 8;

/// What a compiled model has beyond its layers.
pub(crate) struct Training {
    pub compile: Compile,
    /// Batches between one call of callbacks and the next.
    pub steps_per_execution: usize,
    pub optimizer: Option<SharedOptimizer>,
    pub(super) weights: Vec<Trained>,
    pub(super) objectives: Option<Objectives>,
    plans: Vec<StepPlan>,
    results: Option<Results>,
    /// Weights that the loss does not depend on, by path.
    pub without_gradient: Vec<String>,
}

struct StepPlan {
    device: Device,
    training: bool,
    specs: Vec<Spec>,
    compiled: Arc<Compiled>,
}

/// The plan that reads the metrics.
struct Results {
    device: Device,
    names: Vec<String>,
    compiled: Compiled,
}

impl Training {
    /// Makes the optimizer and its state for the weights of a model.
    pub fn new(model: &Model, compile: Compile, scaling: LossScaling) -> Result<Training> {
        compile.check()?;
        if model.is_distiller() {
            return Err(Error::Unsupported(format!(
                "distilling '{}': Keras trains it, and here it predicts; fit the student by itself, or \
                 distil in Keras",
                quote(&model.name())
            )));
        }
        let mut weights = trained(model.root().as_ref());
        let decays = compile.weight_decay()?;
        weights.iter_mut().for_each(|t| t.weight.decays = decays(t.weight.variable.name()));
        let optimizer = match compile.get("optimizer") {
            Json::Null => None,
            identifier => {
                let mut optimizer = registry::get(identifier)?;
                let scales = compile.scales_loss()? && scaling.applies(model);
                if scales && optimizer.class_name() != "LossScaleOptimizer" {
                    let record = registry::record_of(identifier)?;
                    optimizer = registry::from_record(&LossScaleOptimizer::new(record).into())?;
                }
                let all: Vec<Weight> = weights.iter().map(|t| t.weight.clone()).collect();
                optimizer.build(&all)?;
                Some(SharedOptimizer::from(optimizer))
            }
        };
        Ok(Training {
            steps_per_execution: compile.execution()?,
            compile,
            optimizer,
            weights,
            objectives: None,
            plans: Vec::new(),
            results: None,
            without_gradient: Vec::new(),
        })
    }

    /// Runs a step on a batch; metrics are taken on the device.
    pub fn run(
        &mut self,
        model: &Model,
        batch: &Data,
        training: bool,
        device: &Device,
    ) -> Result<()> {
        let (plan, inputs) = self.plan(model, batch, training, device)?;
        plan.run(&inputs).map(|_| ())
    }

    /// The plan of a step on batches like this one, and the batch as it takes it.
    pub fn plan(
        &mut self,
        model: &Model,
        batch: &Data,
        training: bool,
        device: &Device,
    ) -> Result<(Arc<Compiled>, Vec<Tensor>)> {
        if model.on_host {
            return Err(Error::Unsupported(
                "training of a model with layers that work on texts: predict with them first, and \
                 train on what they give"
                    .into(),
            ));
        }
        let batch = Data { x: model.conform(&batch.x)?, ..batch.narrowed() };
        let inputs: Vec<Tensor> =
            batch.x.iter().chain(&batch.y).chain(&batch.sample_weight).cloned().collect();
        let specs: Vec<Spec> = inputs.iter().map(|t| t.spec().clone()).collect();
        let counts = [batch.x.len(), batch.y.len()];
        Ok((self.compiled(model, specs, counts, training, device)?, inputs))
    }

    fn compiled(
        &mut self,
        model: &Model,
        specs: Vec<Spec>,
        counts: [usize; 2],
        training: bool,
        device: &Device,
    ) -> Result<Arc<Compiled>> {
        let fits =
            |p: &StepPlan| p.training == training && p.specs == specs && p.device.plans_as(device);
        if let Some(plan) = self.plans.iter().find(|p| fits(p)) {
            return Ok(plan.compiled.clone());
        }
        let program = self.trace(model, &specs, counts, training)?;
        let options = Options::default();
        let compiled = Arc::new(Compiled::new(program, device, &options, &mut |_, _| {})?);
        if self.plans.len() == PLANS {
            self.plans.remove(0);
        }
        let device = device.clone();
        self.plans.push(StepPlan { device, training, specs, compiled: compiled.clone() });
        Ok(compiled)
    }

    fn trace(
        &mut self,
        model: &Model,
        specs: &[Spec],
        [inputs, labels]: [usize; 2],
        training: bool,
    ) -> Result<Program> {
        let graph = Graph::new();
        let traced = self.trace_into(&graph, model, specs, [inputs, labels], training);
        // An error inside a formula is kept by the graph, with its place: it comes first.
        let trace = graph.finish()?;
        traced?;
        Ok(Program::new(trace, &[]))
    }

    /// Where the metric of a name goes when the model gets better, if that is known.
    pub fn direction(&self, name: &str) -> Option<Direction> {
        self.objectives.as_ref()?.direction(name)
    }

    /// Forgets the metrics of earlier batches.
    pub fn reset(&self) -> Result<()> {
        self.objectives.as_ref().map_or(Ok(()), Objectives::reset)
    }

    /// Reads the metrics.
    pub fn results(&mut self, device: &Device) -> Result<Logs> {
        let Some(objectives) = &self.objectives else { return Ok(Logs::new()) };
        if !self.results.as_ref().is_some_and(|r| r.device.plans_as(device)) {
            let graph = Graph::new();
            let results = objectives.results(&graph)?;
            let (names, ids): (Vec<String>, Vec<_>) =
                results.into_iter().map(|(name, value)| (name, value.id())).unzip();
            let program = Program::new(graph.finish()?, &ids);
            let compiled = Compiled::new(program, device, &Options::default(), &mut |_, _| {})?;
            self.results = Some(Results { device: device.clone(), names, compiled });
        }
        let Some(results) = &self.results else { return Ok(Logs::new()) };
        let values = results.compiled.run(&[])?;
        Ok(results.names.iter().cloned().zip(values.iter().map(Logged::of)).collect())
    }

    /// Runs what an optimizer does once at the end of training.
    pub fn finalize(&self, device: &Device) -> Result<()> {
        let Some(optimizer) = &self.optimizer else { return Ok(()) };
        let graph = Graph::new();
        optimizer.finalize(&Step::new(&graph))?;
        let program = Program::new(graph.finish()?, &[]);
        if program.assigns.is_empty() {
            return Ok(());
        }
        Compiled::new(program, device, &Options::default(), &mut |_, _| {})?.run(&[]).map(|_| ())
    }
}
