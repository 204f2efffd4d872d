//! Counts of right and wrong decisions: a prediction above a threshold says yes.

use crate::base::{DType, Error, Result, Shape};
use crate::graph::{Graph, Value};
use crate::layers::config::{Config, Json};
use crate::losses::weighting::align_ranks;
use crate::metrics::MetricBase;
use crate::metrics::metric::assign_add;
use crate::operations::formulas::{EPSILON, divide_no_nan};
use crate::operations::nn::one_hot_of;
use crate::saving::json;
use crate::tensor::{Tensor, Variable};

/// What predictions are below that are not among the highest: Keras's `NEG_INF`.
pub(super) const LOWEST: f64 = -1e10;

/// What a decision was and should have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    TruePositives,
    FalsePositives,
    TrueNegatives,
    FalseNegatives,
}

impl Condition {
    pub(super) const ALL: [Condition; 4] = [
        Condition::TruePositives,
        Condition::FalsePositives,
        Condition::TrueNegatives,
        Condition::FalseNegatives,
    ];

    /// Keras's name of a variable that counts them.
    pub(super) fn name(self) -> &'static str {
        match self {
            Condition::TruePositives => "true_positives",
            Condition::FalsePositives => "false_positives",
            Condition::TrueNegatives => "true_negatives",
            Condition::FalseNegatives => "false_negatives",
        }
    }

    /// Whether labels that are right and decisions that are yes count, rather than the others.
    fn label_and_decision(self) -> (bool, bool) {
        match self {
            Condition::TruePositives => (true, true),
            Condition::FalsePositives => (false, true),
            Condition::TrueNegatives => (false, false),
            Condition::FalseNegatives => (true, false),
        }
    }
}

/// The thresholds of a metric, of which it keeps one count each.
#[derive(Clone, Debug)]
pub(super) enum Thresholds {
    /// Equally far apart from 0 to 1. Keras finds by one multiplication above how many of them a
    /// prediction is, which rounds unlike comparisons would. `open`: the first is a little below 0,
    /// so that all predictions are above it.
    Even {
        count: usize,
        open: bool,
    },
    List(Vec<f64>),
}

impl Thresholds {
    /// What the key `thresholds` of a config says: one or several numbers from 0 to 1; `otherwise`
    /// for null.
    pub(super) fn from_config(config: &Config, otherwise: f64) -> Result<Thresholds> {
        let bad = || config.bad("thresholds", "numbers from 0 to 1");
        let list = match config.get("thresholds") {
            Json::Null => return Ok(Thresholds::List(vec![otherwise])),
            Json::Array(items) => items.iter().map(json::float).collect::<Option<Vec<_>>>(),
            one => json::float(one).map(|t| vec![t]),
        };
        let list = list.filter(|list| !list.is_empty()).ok_or_else(bad)?;
        if list.iter().any(|t| !(0.0..=1.0).contains(t)) {
            return Err(bad());
        }
        Ok(Thresholds::of(list))
    }

    /// Thresholds of a list, evenly spread ones among them.
    pub(super) fn of(list: Vec<f64>) -> Thresholds {
        match is_even(&list) {
            true => Thresholds::Even { count: list.len(), open: false },
            false => Thresholds::List(list),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Thresholds::Even { count, .. } => *count,
            Thresholds::List(list) => list.len(),
        }
    }

    /// Whether predictions `[1, …]` are above each of the thresholds, `[thresholds, …]`.
    fn decide<'g>(&self, y_pred: Value<'g>) -> Result<Value<'g>> {
        let graph = y_pred.graph();
        let mut line = vec![1; y_pred.rank()];
        line[0] = self.len();
        Ok(match self {
            Thresholds::List(list) => {
                let list = Tensor::new([list.len()], list)?.cast(y_pred.dtype());
                y_pred.binary("gt", graph.constant(list).reshape(line))
            }
            Thresholds::Even { count, open } => {
                let (zero, one) = (y_pred.scalar_like(0.0), y_pred.scalar_like(1.0));
                let y_pred = y_pred.maximum(zero).minimum(one);
                let bucket = (y_pred * (*count as f64 - 1.0)).unary("ceil") - 1.0;
                let bucket = if *open { bucket.maximum(zero) } else { bucket };
                bucket.cast(DType::Int32).binary("ge", graph.iota(line, 0))
            }
        })
    }
}

/// Whether thresholds are evenly spread from 0 to 1, with Keras's tolerance.
pub(super) fn is_even(list: &[f64]) -> bool {
    let last = list.len().saturating_sub(1) as f32;
    let close = |(i, t): (usize, &f64)| {
        let even = f64::from(i as f32 / last);
        (t - even).abs() <= EPSILON + 1e-5 * even
    };
    list.len() >= 3 && list.iter().enumerate().all(close)
}

/// How decisions are made from predictions and counted.
#[derive(Clone, Debug)]
pub(super) struct Decisions {
    pub thresholds: Thresholds,
    /// Only so many of the highest predictions along the last axis can be yes.
    pub top_k: Option<usize>,
    /// Only this class along the last axis counts.
    pub class_id: Option<i64>,
    /// Counts of each label along the last axis instead of all together.
    pub by_label: bool,
    /// By what decisions about each label along the last axis are multiplied.
    pub label_weights: Option<Tensor>,
}

impl Decisions {
    pub(super) fn at(thresholds: Thresholds) -> Decisions {
        let (top_k, class_id, label_weights) = (None, None, None);
        Decisions { thresholds, top_k, class_id, by_label: false, label_weights }
    }

    /// The decisions about a batch.
    ///
    /// # Errors
    /// If labels and predictions do not have one shape, or no axis that the settings need.
    pub(super) fn of<'g>(
        &self,
        y_true: Value<'g>,
        y_pred: Value<'g>,
        sample_weight: Option<Value<'g>>,
    ) -> Result<Decided<'g>> {
        let (y_true, y_pred) = (y_true.cast(DType::Float32), y_pred.cast(DType::Float32));
        let (y_pred, y_true) = align_ranks(y_pred, y_true, true);
        let shape = y_pred.shape();
        if y_true.shape() != shape {
            let found = format!("labels {} and predictions {shape}", y_true.shape());
            return Err(Error::shape("confusion matrix", found, "one shape"));
        }
        let sample_weight = sample_weight.map(|weight| {
            let weight = weight.cast(DType::Float32);
            let raised: Shape = weight.shape().iter().copied().chain([1]).collect();
            align_ranks(y_true, weight.reshape(raised), false).1
        });
        let y_pred = self.top_k.map_or(Ok(y_pred), |k| highest(y_pred, k))?;
        let of_class = |x| self.class_id.map_or(Ok(x), |class| one_class(x, class));
        let (y_true, y_pred) = (of_class(y_true)?, of_class(y_pred)?);
        let weight = self.weights(y_pred, sample_weight)?;
        let flat = |x: Value<'g>| match (self.by_label, x.shape().as_slice()) {
            (true, &[rows, labels]) => x.reshape([1, rows, labels]),
            _ => x.reshape([1, x.shape().len()]),
        };
        Ok(Decided {
            label: flat(y_true).cast(DType::Bool),
            positive: self.thresholds.decide(flat(y_pred))?,
            weight: flat(weight),
        })
    }

    /// The weight of each prediction.
    fn weights<'g>(
        &self,
        y_pred: Value<'g>,
        sample_weight: Option<Value<'g>>,
    ) -> Result<Value<'g>> {
        let shape = y_pred.shape();
        let fits = |weight: Value<'g>| match weight.shape().broadcast(&shape)? == shape {
            true => Ok(weight.broadcast(shape.clone())),
            false => {
                let found = format!("weights {} for predictions {shape}", weight.shape());
                Err(Error::shape("confusion matrix", found, "weights that fit the predictions"))
            }
        };
        let mut weight = sample_weight.map_or(Ok(y_pred.like(1.0)), fits)?;
        if let Some(labels) = &self.label_weights {
            let row: Shape = [1].iter().chain(labels.spec().shape.iter()).copied().collect();
            let labels = y_pred.graph().constant(labels.cast(DType::Float32));
            weight = weight * fits(labels.reshape(row))?;
        }
        Ok(weight)
    }
}

/// Predictions of which those not among the `k` highest of the last axis are the lowest.
fn highest(y_pred: Value<'_>, k: usize) -> Result<Value<'_>> {
    let shape = y_pred.shape();
    let Some(last) = shape.rank().checked_sub(1).filter(|&last| k <= shape[last]) else {
        let expected = format!("at least {k} predictions along the last axis");
        return Err(Error::shape("top_k", shape.to_string(), expected));
    };
    let best = y_pred.argsort(last, true).narrow(last, 0, k);
    let among = one_hot_of(best, shape[last], last + 1).max(&[last]).cast(y_pred.dtype());
    Ok(y_pred * among + (among.scalar_like(1.0) - among) * LOWEST)
}

/// One class of the last axis, which stays with extent 1.
fn one_class(x: Value<'_>, class: i64) -> Result<Value<'_>> {
    let shape = x.shape();
    let misfit = |found: String| Error::shape("class_id", found, "a class along a last axis");
    if shape.rank() < 2 {
        return Err(misfit(format!("class {class} of predictions {shape}")));
    }
    let last = shape.rank() - 1;
    let found = || misfit(format!("class {class} of predictions {shape}"));
    let class = crate::base::shape::normalize_axis(class, shape[last]).map_err(|_| found())?;
    Ok(x.narrow(last, class, 1))
}

/// Decisions about a batch: labels and weights `[1, N]` and whether predictions are above each
/// threshold, `[thresholds, N]`; a further axis where labels are counted apart.
pub(super) struct Decided<'g> {
    label: Value<'g>,
    positive: Value<'g>,
    weight: Value<'g>,
}

impl<'g> Decided<'g> {
    /// The weighted number of decisions of a kind, for each threshold.
    pub(super) fn count(&self, condition: Condition) -> Value<'g> {
        let (label, positive) = condition.label_and_decision();
        let is = |x: Value<'g>, wanted: bool| if wanted { x } else { x.unary("not") };
        let both = is(self.label, label).binary("and", is(self.positive, positive));
        both.select(self.weight, self.weight.scalar_like(0.0)).sum(&[1])
    }
}

/// Variables that hold counts of decisions of some kinds.
pub(super) struct Counts(Vec<(Condition, Variable)>);

impl Counts {
    /// Adds variables of zeros to a metric.
    pub(super) fn new(
        base: &mut MetricBase,
        conditions: &[Condition],
        shape: impl Into<Shape>,
    ) -> Result<Counts> {
        let shape = shape.into();
        let mut variable = |&condition: &Condition| {
            // In float32, whatever the metric computes in.
            let variable = base.add_variable(condition.name(), shape.clone(), DType::Float32)?;
            Ok((condition, variable))
        };
        conditions.iter().map(&mut variable).collect::<Result<_>>().map(Counts)
    }

    /// Adds the decisions about a batch.
    pub(super) fn update<'g>(&self, graph: &'g Graph, decided: &Decided<'g>) {
        for (condition, variable) in &self.0 {
            assign_add(graph, variable, decided.count(*condition));
        }
    }

    /// The counts of a kind, which is one of those kept.
    pub(super) fn read<'g>(&self, graph: &'g Graph, condition: Condition) -> Value<'g> {
        match self.0.iter().find(|(kept, _)| *kept == condition) {
            Some((_, variable)) => graph.read(variable),
            None => graph.failed(Error::Internal(format!("no count of {}", condition.name()))),
        }
    }

    /// The share of one kind in it and another.
    pub(super) fn share<'g>(
        &self,
        graph: &'g Graph,
        part: Condition,
        other: Condition,
    ) -> Value<'g> {
        let (part, other) = (self.read(graph, part), self.read(graph, other));
        divide_no_nan(part, part + other)
    }
}

/// A vector's only element; a longer one as it is.
pub(super) fn single(x: Value<'_>) -> Value<'_> {
    if *x.shape().as_slice() == [1] { x.reshape([]) } else { x }
}
