//! Losses and metrics of a model's outputs.

use std::sync::Arc;

use crate::base::error::quote;
use crate::base::{Error, Result, Spec};
use crate::graph::{Graph, Value};
use crate::layers::config::Json;
use crate::losses::{self, Loss, Weights};
use crate::metrics::{self, Direction, Mean, Metric};
use crate::models::{CustomObjects, Model};
use crate::trainers::Compile;
use crate::trainers::placed::{self, PlacedLoss};

/// The losses and metrics of a compiled model, made for labels and predictions of given specs.
pub struct Objectives {
    losses: Vec<OutputLoss>,
    /// How many of the losses count.
    counted: usize,
    /// The mean of the whole loss.
    tracker: Mean,
    metrics: Vec<OutputMetric>,
}

/// A loss of an output.
struct OutputLoss {
    output: usize,
    loss: Arc<dyn Loss>,
    /// By what it is multiplied.
    factor: Option<f64>,
    /// The mean of the loss with its name in logs, where there are several losses.
    tracker: Option<(String, Mean)>,
}

struct OutputMetric {
    /// The name in logs.
    name: String,
    output: usize,
    weighted: bool,
    metric: Box<dyn Metric>,
}

/// One output of a step.
pub struct Output<'g> {
    pub y_true: Option<Value<'g>>,
    pub y_pred: Value<'g>,
    pub weights: Weights<'g>,
}

impl Objectives {
    /// Makes the losses and metrics of a model. Specs are of labels and predictions, output by output.
    pub fn new(
        compile: &Compile,
        model: &Model,
        specs: &[(Option<Spec>, Spec)],
    ) -> Result<Objectives> {
        let outputs = placed::Outputs::of(model);
        let names = outputs.names.as_slice();
        let custom = &model.custom;
        let placed = outputs.losses(compile.get("loss"), compile.get("loss_weights"))?;
        // As in Keras: of several losses of a model's only output, those behind the first show up in logs
        // and count nothing.
        let counted = if outputs.structure.leaf().is_some() { 1 } else { placed.len() };
        let losses = losses(placed, custom, specs)?;
        let mut metrics = Vec::new();
        for (key, weighted) in [("metrics", false), ("weighted_metrics", true)] {
            let lists = outputs.metrics(key, compile.get(key))?;
            add_metrics((&lists, weighted), custom, names, specs, &mut metrics)?;
        }
        Ok(Objectives { losses, counted, tracker: Mean::new("loss")?, metrics })
    }

    /// The sum of the outputs' losses; nothing when no output has one.
    pub fn loss<'g>(&self, graph: &'g Graph, outputs: &[Output<'g>]) -> Result<Option<Value<'g>>> {
        let mut total: Option<Value<'g>> = None;
        for one in self.losses.iter().take(self.counted) {
            let Some(output) = outputs.get(one.output) else { continue };
            let Some(y_true) = output.y_true else { continue };
            let value = one.loss.compute(y_true, output.y_pred, output.weights);
            let value = value.cast(crate::base::DType::Float32);
            if let Some((_, tracker)) = &one.tracker {
                let rows = graph.scalar(output.y_pred.extent(0) as f64, value.dtype());
                tracker.update_values(graph, value, only(rows));
            }
            let value = one.factor.map_or(value, |factor| value * factor);
            total = Some(total.map_or(value, |total| total + value));
        }
        Ok(total)
    }

    /// Takes a batch of `rows` rows and its whole loss into account.
    pub fn update<'g>(
        &self,
        graph: &'g Graph,
        loss: Value<'g>,
        rows: usize,
        outputs: &[Output<'g>],
    ) -> Result<()> {
        self.tracker.update_values(graph, loss, only(graph.scalar(rows as f64, loss.dtype())));
        for metric in &self.metrics {
            let Some(output) = outputs.get(metric.output) else { continue };
            let Some(y_true) = output.y_true else { continue };
            let sample_weight = output.weights.sample_weight.filter(|_| metric.weighted);
            let weights = Weights { sample_weight, mask: output.weights.mask };
            metric.metric.update(graph, &[y_true, output.y_pred], weights)?;
        }
        Ok(())
    }

    /// Names and formulas of all results.
    pub fn results<'g>(&self, graph: &'g Graph) -> Result<Vec<(String, Value<'g>)>> {
        let mut all = vec![("loss".to_owned(), self.tracker.result(graph)?)];
        // Several losses of one output have one name, and a metric may be called as a loss is: the last
        // one is seen.
        let mut add = |name: &String, result| match all.iter_mut().find(|(other, _)| other == name)
        {
            Some((_, found)) => *found = result,
            None => all.push((name.clone(), result)),
        };
        for metric in &self.metrics {
            add(&metric.name, metric.metric.result(graph)?);
        }
        for (name, tracker) in self.losses.iter().filter_map(|one| one.tracker.as_ref()) {
            add(name, tracker.result(graph)?);
        }
        Ok(all)
    }

    /// Where the metric of a name goes when the model gets better, if that is known. As in Keras, the
    /// name is the metric's own, without that of an output.
    pub fn direction(&self, name: &str) -> Option<Direction> {
        let named = self.metrics.iter().filter(|metric| metric.metric.base().name == name);
        named.filter_map(|metric| metric.metric.base().direction).next_back()
    }

    /// Forgets all batches.
    pub fn reset(&self) -> Result<()> {
        self.tracker.base().reset()?;
        let trackers = self.losses.iter().filter_map(|one| one.tracker.as_ref());
        trackers.into_iter().try_for_each(|(_, tracker)| tracker.base().reset())?;
        self.metrics.iter().try_for_each(|metric| metric.metric.base().reset())
    }
}

fn only(weight: Value<'_>) -> Weights<'_> {
    Weights { sample_weight: Some(weight), mask: None }
}

/// The losses of the outputs, with their trackers.
fn losses(
    placed: Vec<PlacedLoss>,
    custom: &CustomObjects,
    specs: &[(Option<Spec>, Spec)],
) -> Result<Vec<OutputLoss>> {
    let several = placed.len() > 1;
    let one = |placed: PlacedLoss| {
        let PlacedLoss { output, identifier, factor, name } = placed;
        let none = || Error::Internal(format!("a loss of output {output} of {}", specs.len()));
        let loss = loss(&identifier, custom, specs.get(output).ok_or_else(none)?)?;
        let name = format!("{name}_loss");
        let tracker = several.then(|| Ok::<_, Error>((name.clone(), Mean::new(name)?)));
        Ok(OutputLoss { output, loss, factor, tracker: tracker.transpose()? })
    };
    placed.into_iter().map(one).collect()
}

/// What labels and predictions of these specs say of the kind of a classification.
fn kind(specs: &(Option<Spec>, Spec)) -> &'static str {
    let (y_true, y_pred) = (specs.0.as_ref().map(|s| &s.shape), &specs.1.shape);
    let last = |shape: &crate::base::Shape| shape.last().copied();
    let (true_rank, true_last) = y_true.map_or((0, None), |s| (s.rank(), last(s)));
    if last(y_pred) == Some(1) {
        "binary"
    } else if true_rank < y_pred.rank() || true_last == Some(1) {
        "sparse_categorical"
    } else {
        "categorical"
    }
}

fn loss(
    identifier: &Json,
    custom: &CustomObjects,
    specs: &(Option<Spec>, Spec),
) -> Result<Arc<dyn Loss>> {
    if let Some(loss) = custom.find_loss(identifier)? {
        return Ok(loss);
    }
    match identifier.as_str().map(str::to_lowercase).as_deref() {
        Some("crossentropy" | "ce") => {
            losses::get(&Json::from(format!("{}_crossentropy", kind(specs))), "loss")
        }
        _ => losses::get(identifier, "loss"),
    }
}

fn metric(
    identifier: &Json,
    custom: &CustomObjects,
    specs: &(Option<Spec>, Spec),
) -> Result<Box<dyn Metric>> {
    let text = identifier.as_str();
    let own = custom.find_metric(identifier)?;
    let mut metric = match (own, text.map(str::to_lowercase).as_deref()) {
        (Some(own), _) => own,
        (None, Some("accuracy" | "acc")) => {
            metrics::get(&Json::from(format!("{}_accuracy", kind(specs))), "metrics")?
        }
        (None, _) => metrics::get(identifier, "metrics")?,
    };
    if let Some(text) = text {
        metric.base_mut().name = text.to_owned();
    }
    let inputs: Vec<Spec> = specs.0.iter().chain([&specs.1]).cloned().collect();
    metric.build(&inputs)?;
    Ok(metric)
}

/// Adds the metrics of all outputs under one of the two keys of `compile`.
fn add_metrics(
    (lists, weighted): (&[Vec<Json>], bool),
    custom: &CustomObjects,
    names: &[String],
    specs: &[(Option<Spec>, Spec)],
    all: &mut Vec<OutputMetric>,
) -> Result<()> {
    for (output, (list, specs)) in lists.iter().zip(specs).enumerate() {
        if specs.0.is_none() && !list.is_empty() {
            let what =
                format!("metrics of output '{}', which has no labels", quote(&names[output]));
            return Err(Error::Invalid(what));
        }
        for identifier in list {
            let metric = metric(identifier, custom, specs)?;
            let own = &metric.base().name;
            let name = match names.len() {
                1 => own.clone(),
                _ => format!("{}_{own}", names[output]),
            };
            let name = unique(&name, own, weighted, all);
            all.push(OutputMetric { name, output, weighted, metric });
        }
    }
    Ok(())
}

/// A name that no metric has yet, made as Keras makes it.
fn unique(name: &str, own: &str, weighted: bool, all: &[OutputMetric]) -> String {
    let taken = |name: &str| all.iter().any(|metric| metric.name == name);
    if !taken(name) {
        return name.to_owned();
    }
    let prefix = name.strip_suffix(own).unwrap_or("");
    let base = if weighted { format!("{prefix}weighted_{own}") } else { name.to_owned() };
    if weighted && !taken(&base) {
        return base;
    }
    let mut names = (1usize..).map(|i| format!("{base}_{i}"));
    names.find(|name| !taken(name)).unwrap_or(base)
}
