//! Intersection over union: `IoU`, `MeanIoU`, `BinaryIoU`, `OneHotIoU` and `OneHotMeanIoU`.
//!
//! | variable | shape |
//! | --- | --- |
//! | total_confusion_matrix | (classes, classes): labels along rows, predictions along columns; int32 unless the config names a dtype |

use crate::base::{DType, Error, Result, Shape};
use crate::graph::ops::ReduceKind;
use crate::graph::{Graph, Value};
use crate::layers::config::{Config, Json};
use crate::losses::Weights;
use crate::metrics::metric::{assign_add, metric_base, optional_int, pair};
use crate::metrics::{Metric, MetricBase};
use crate::operations::formulas::{EPSILON, axis_of, sum_all};
use crate::tensor::{Tensor, Variable};

/// How labels or predictions name a class.
#[derive(Clone, Copy, Debug)]
enum Classes {
    /// By its number.
    Sparse,
    /// By the highest element along `axis`.
    Dense,
    /// 1 from this number on, else 0.
    From(f64),
}

/// Classes whose intersection over union is averaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Targets {
    All,
    /// Those under the key `target_class_ids`.
    Given,
}

/// The mean over classes of how many samples have the class as label and prediction, over how many
/// have it as one of them.
pub(super) struct IoU {
    base: MetricBase,
    classes: usize,
    targets: Vec<i64>,
    ignore_class: Option<i64>,
    of_labels: Classes,
    of_predictions: Classes,
    axis: i64,
    matrix: Variable,
}

impl IoU {
    /// `IoU` and `MeanIoU`.
    pub(super) fn from_config(config: &Config, targets: Targets) -> Result<IoU> {
        let sparse = |key: &str| {
            config.bool(key).map(|sparse| if sparse { Classes::Sparse } else { Classes::Dense })
        };
        let named = [sparse("sparse_y_true")?, sparse("sparse_y_pred")?];
        IoU::of_classes(config, targets, named)
    }

    /// `OneHotIoU` and `OneHotMeanIoU`.
    pub(super) fn one_hot(config: &Config, targets: Targets) -> Result<IoU> {
        let sparse = config.bool("sparse_y_pred")?;
        let predictions = if sparse { Classes::Sparse } else { Classes::Dense };
        IoU::of_classes(config, targets, [Classes::Dense, predictions])
    }

    /// `BinaryIoU`.
    pub(super) fn binary(config: &Config) -> Result<IoU> {
        let named = [Classes::Sparse, Classes::From(config.float("threshold")?)];
        IoU::new(config, 2, config.ints("target_class_ids")?, (None, -1), named)
    }

    fn of_classes(config: &Config, targets: Targets, named: [Classes; 2]) -> Result<IoU> {
        let classes = config.size("num_classes")?;
        let targets = match targets {
            Targets::All => (0..classes as i64).collect(),
            Targets::Given => config.ints("target_class_ids")?,
        };
        let others = (optional_int(config, "ignore_class")?, config.int("axis")?);
        IoU::new(config, classes, targets, others, named)
    }

    fn new(
        config: &Config,
        classes: usize,
        targets: Vec<i64>,
        (ignore_class, axis): (Option<i64>, i64),
        [of_labels, of_predictions]: [Classes; 2],
    ) -> Result<IoU> {
        let count = classes as i64;
        if targets.is_empty() || !targets.iter().all(|target| (-count..count).contains(target)) {
            let expected = format!("a list of classes from 0 to {}", count - 1);
            return Err(config.bad("target_class_ids", &expected));
        }
        let mut base = MetricBase::new(config, "")?;
        if matches!(config.get("dtype"), Json::Null) {
            base.dtype = DType::Int32;
        }
        let dtype = base.dtype;
        let matrix = base.add_variable("total_confusion_matrix", [classes, classes], dtype)?;
        let matrix =
            IoU { base, classes, targets, ignore_class, of_labels, of_predictions, axis, matrix };
        Ok(matrix)
    }

    /// The classes that labels or predictions name, in one row and the metric's dtype.
    fn classes<'g>(&self, x: Value<'g>, named: Classes) -> Value<'g> {
        let classes = match named {
            Classes::Sparse => x,
            Classes::Dense => axis_of(x, self.axis).map_or(x, |axis| x.argmax(axis)),
            Classes::From(threshold) => {
                let x = x.cast(DType::Float32);
                x.binary("ge", x.scalar_like(threshold))
            }
        };
        let classes = classes.cast(self.base.dtype);
        classes.reshape([classes.shape().len()])
    }

    /// The rows of the confusion matrix after another, whose places labels and predictions name; −1
    /// for what does not count.
    fn places<'g>(&self, y_true: Value<'g>, y_pred: Value<'g>) -> Value<'g> {
        let inside = |x: Value<'g>| {
            let low = x.binary("ge", x.scalar_like(0.0));
            low.binary("and", x.binary("lt", x.scalar_like(self.classes as f64)))
        };
        let mut counts = inside(y_true).binary("and", inside(y_pred));
        if let Some(ignored) = self.ignore_class {
            counts = counts.binary("and", y_true.binary("ne", y_true.scalar_like(ignored as f64)));
        }
        let (row, column) = (y_true.cast(DType::Int32), y_pred.cast(DType::Int32));
        let place = row * self.classes as f64 + column;
        counts.select(place, place.scalar_like(-1.0))
    }

    /// The weight of every sample, in the metric's dtype.
    fn weight<'g>(&self, y_true: Value<'g>, weights: Weights<'g>) -> Result<Value<'g>> {
        let Some(weight) = weights.sample_weight else { return Ok(y_true.like(1.0)) };
        let flat = weight.reshape([weight.shape().len()]).cast(self.base.dtype);
        let shape = y_true.shape();
        match flat.shape().broadcast(&shape)? == shape {
            true => Ok(flat.broadcast(shape)),
            false => {
                let found = format!("weights {} for labels {shape}", weight.shape());
                Err(Error::shape(&self.base.name, found, "a weight for each label"))
            }
        }
    }
}

impl Metric for IoU {
    metric_base!();

    fn update<'g>(
        &self,
        graph: &'g Graph,
        inputs: &[Value<'g>],
        weights: Weights<'g>,
    ) -> Result<()> {
        let (y_true, y_pred) = pair(inputs)?;
        let y_true = self.classes(y_true, self.of_labels);
        let y_pred = self.classes(y_pred, self.of_predictions);
        if y_true.shape() != y_pred.shape() {
            let found = format!("{} labels and {} predictions", y_true.shape(), y_pred.shape());
            return Err(Error::shape(&self.base.name, found, "as many of each"));
        }
        let weight = self.weight(y_true, weights)?;
        let wide = if weight.dtype().is_float() { DType::Float32 } else { DType::Int32 };
        let rows = weight.cast(wide).reshape([y_true.shape().len(), 1]);
        let places = self.places(y_true, y_pred);
        let sums = rows.segment_reduce(places, ReduceKind::Sum, self.classes * self.classes);
        assign_add(graph, &self.matrix, sums.reshape([self.classes, self.classes]));
        Ok(())
    }

    fn result<'g>(&self, graph: &'g Graph) -> Result<Value<'g>> {
        let matrix = graph.read(&self.matrix);
        let shape = matrix.shape();
        let diagonal = graph.iota(shape.clone(), 0).binary("eq", graph.iota(shape, 1));
        let both = diagonal.select(matrix, matrix.scalar_like(0.0)).sum(&[0]);
        let any = matrix.sum(&[0]) + matrix.sum(&[1]) - both;
        let count = self.classes as i64;
        let target = |&t: &i64| if t < 0 { t + count } else { t } as f64;
        let targets: Vec<f64> = self.targets.iter().map(target).collect();
        let targets = Tensor::new(Shape::from([targets.len()]), &targets)?.cast(DType::Int32);
        let targets = graph.constant(targets);
        let pick = |x: Value<'g>| x.gather(targets, 0).cast(DType::Float32);
        let (both, any) = (pick(both), pick(any));
        // Classes that no sample has do not count.
        let there = any.binary("gt", any.scalar_like(1e-9));
        let shares = there.select(both / (any + EPSILON), both.scalar_like(0.0));
        axis_of(shares, self.axis);
        Ok(sum_all(shares) / (sum_all(there.cast(DType::Float32)) + EPSILON))
    }
}
