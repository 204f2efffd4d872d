//! One step of training or testing as one program.

use std::sync::Arc;

use crate::base::{DType, Error, Result, Spec};
use crate::graph::{Graph, Value};
use crate::layers::config::Json;
use crate::losses::Weights;
use crate::metrics::Direction;
use crate::models::Model;
use crate::optimizers::{LossScaleOptimizer, SharedOptimizer, Step, Weight, registry};
use crate::program::{Options, Program};
use crate::runtime::{Compiled, Device};
use crate::tensor::Tensor;
use crate::trainers::callback::Logs;
use crate::trainers::loss_scaling::LossScaling;
use crate::trainers::objectives::{Objectives, Output};
use crate::trainers::weights::{Trained, trained};
use crate::trainers::{Compile, Data};

/// Plans kept; a full and a last batch, in training and in testing, need four.
const PLANS: usize = 8;

/// What a compiled model has beyond its layers.
pub(crate) struct Training {
    pub compile: Compile,
    pub optimizer: Option<SharedOptimizer>,
    weights: Vec<Trained>,
    objectives: Option<Objectives>,
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
        let weights = trained(model.root().as_ref());
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
        let fits = |p: &StepPlan| p.training == training && p.specs == specs && p.device.is(device);
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

    fn trace_into<'g>(
        &mut self,
        graph: &'g Graph,
        model: &Model,
        specs: &[Spec],
        [inputs, labels]: [usize; 2],
        training: bool,
    ) -> Result<()> {
        let values: Vec<Value<'g>> = specs.iter().map(|s| graph.input(s.clone())).collect();
        let (x, rest) = values.split_at(inputs);
        let (y, sample_weight) = rest.split_at(labels);
        let weights: Vec<Value<'g>> =
            self.weights.iter().map(|t| graph.read(&t.weight.variable)).collect();
        let (predictions, masks) = model.outputs_and_masks(graph, x, training)?;
        let rows = specs.first().and_then(|s| s.shape.first().copied()).unwrap_or(1);
        let mut outputs = self.outputs(y, sample_weight, &predictions, &masks)?;
        if self.objectives.is_none() {
            let of = |o: &Output<'g>| (o.y_true.map(Value::spec), o.y_pred.spec());
            let specs: Vec<_> = outputs.iter().map(of).collect();
            let names: Vec<String> = model.outputs().into_iter().map(|o| o.name).collect();
            self.objectives = Some(Objectives::new(&self.compile, &model.custom, &names, &specs)?);
        }
        let Some(objectives) = &self.objectives else { return Ok(()) };
        let mut losses: Vec<Value<'g>> = objectives.loss(graph, &outputs)?.into_iter().collect();
        losses.extend(graph.losses());
        for (trained, value) in self.weights.iter().zip(&weights) {
            if let Some(regularizer) = &trained.regularizer {
                losses.push(regularizer.call(*value)?);
            }
        }
        let sum = losses.into_iter().map(|l| l.cast(DType::Float32)).reduce(|a, b| a + b);
        let loss = sum.ok_or_else(|| {
            Error::Invalid("there is no loss to compute: give compile one".into())
        })?;
        if training {
            // As in Keras with JAX: predictions come out of differentiation without their masks.
            outputs.iter_mut().for_each(|output| output.weights.mask = None);
            self.without_gradient = self.update(graph, loss, &weights)?;
        }
        let Some(objectives) = &self.objectives else { return Ok(()) };
        objectives.update(graph, loss, rows, &outputs)
    }

    /// Writes gradients and the optimizer's update; gives the paths of weights without a gradient.
    fn update<'g>(
        &self,
        graph: &'g Graph,
        loss: Value<'g>,
        weights: &[Value<'g>],
    ) -> Result<Vec<String>> {
        let optimizer = self.optimizer.as_ref();
        let optimizer = optimizer
            .ok_or_else(|| Error::Invalid("the model was compiled without an optimizer".into()))?;
        let gradients = graph.grad(optimizer.scale_loss(loss), weights)?;
        let missing: Vec<String> = self
            .weights
            .iter()
            .zip(&gradients)
            .filter(|(_, gradient)| gradient.is_none())
            .map(|(trained, _)| trained.weight.path.clone())
            .collect();
        if !missing.is_empty() && missing.len() == gradients.len() {
            let what = format!("the loss depends on none of the weights {}", missing.join(", "));
            return Err(Error::Invalid(what));
        }
        if !missing.is_empty() {
            log::warn!("no gradients exist for the weights {}", missing.join(", "));
        }
        optimizer.apply(&Step::new(graph), &gradients)?;
        Ok(missing)
    }

    /// Labels, predictions and weights, output by output. Labels may leave out outputs without a loss.
    fn outputs<'g>(
        &self,
        labels: &[Value<'g>],
        sample_weight: &[Value<'g>],
        predictions: &[Value<'g>],
        masks: &[Option<Value<'g>>],
    ) -> Result<Vec<Output<'g>>> {
        let n = predictions.len();
        if !labels.is_empty() && labels.len() != n {
            let found = format!("{} labels", labels.len());
            return Err(Error::shape("training data", found, format!("{n}, one for each output")));
        }
        if sample_weight.len() > 1 && sample_weight.len() != n {
            let found = format!("{} sample weights", sample_weight.len());
            return Err(Error::shape("training data", found, format!("none, 1 or {n}")));
        }
        let weight = |i: usize| match sample_weight {
            [one] => Some(*one),
            many => many.get(i).copied(),
        };
        let output = |(i, &y_pred): (usize, &Value<'g>)| Output {
            y_true: labels.get(i).copied(),
            y_pred,
            weights: Weights { sample_weight: weight(i), mask: masks.get(i).copied().flatten() },
        };
        Ok(predictions.iter().enumerate().map(output).collect())
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
        if !self.results.as_ref().is_some_and(|r| r.device.is(device)) {
            let graph = Graph::new();
            let results = objectives.results(&graph)?;
            if let Some((name, value)) = results.iter().find(|(_, v)| v.shape().len() != 1) {
                return Err(Error::Unsupported(format!(
                    "logs of metric '{}', which gives values of shape {} instead of one number: an \
                     average or a single threshold gives one",
                    crate::base::error::quote(name),
                    value.shape()
                )));
            }
            let (names, ids): (Vec<String>, Vec<_>) =
                results.into_iter().map(|(name, value)| (name, value.id())).unzip();
            let program = Program::new(graph.finish()?, &ids);
            let compiled = Compiled::new(program, device, &Options::default(), &mut |_, _| {})?;
            self.results = Some(Results { device: device.clone(), names, compiled });
        }
        let Some(results) = &self.results else { return Ok(Logs::new()) };
        let values = results.compiled.run(&[])?;
        let number = |tensor: &Tensor| tensor.iter_f64().next().unwrap_or(f64::NAN);
        let pairs = results.names.iter().cloned().zip(values.iter().map(number));
        Ok(pairs.collect())
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
