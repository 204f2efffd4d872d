//! Sums and means over samples, and means of functions and losses of labels and predictions.
//!
//! | metric | variables |
//! | --- | --- |
//! | `Sum` | total |
//! | `Mean`, `MeanMetricWrapper`, losses | total, count |

use std::sync::Arc;

use crate::base::{DType, Result};
use crate::graph::{Graph, Value};
use crate::layers::config::Config;
use crate::losses::{Function, Loss, Reduction, Weights, apply_mask, same_rank};
use crate::metrics::metric::{assign_add, metric_base, pair, wrong_count};
use crate::metrics::{Direction, Metric, MetricBase};
use crate::operations::formulas::{self, divide_no_nan, sum_all};
use crate::tensor::Variable;

/// `keras.metrics.Sum`: the weighted sum of all values.
pub struct Sum {
    base: MetricBase,
    total: Variable,
}

/// `keras.metrics.Mean`: the weighted mean of all values.
pub struct Mean {
    base: MetricBase,
    total: Variable,
    count: Variable,
}

impl Sum {
    pub(crate) fn from_config(config: &Config) -> Result<Sum> {
        let mut base = MetricBase::new(config, "sum")?;
        let total = base.add_variable("total", [], base.dtype)?;
        Ok(Sum { base, total })
    }
}

impl Metric for Sum {
    metric_base!();

    fn update<'g>(
        &self,
        graph: &'g Graph,
        inputs: &[Value<'g>],
        weights: Weights<'g>,
    ) -> Result<()> {
        let &[values] = inputs else { return Err(wrong_count(inputs, "the values")) };
        let (values, _) = samplewise(values, weights, self.base.dtype, Value::sum);
        assign_add(graph, &self.total, sum_all(values));
        Ok(())
    }

    fn result<'g>(&self, graph: &'g Graph) -> Result<Value<'g>> {
        Ok(graph.read(&self.total))
    }
}

impl Mean {
    /// A mean in float32.
    ///
    /// # Errors
    /// If its variables cannot be made.
    pub fn new(name: impl Into<String>) -> Result<Mean> {
        Mean::with_base(MetricBase::named(name))
    }

    pub(crate) fn from_config(config: &Config) -> Result<Mean> {
        Mean::with_base(MetricBase::new(config, "mean")?)
    }

    pub(crate) fn with_base(mut base: MetricBase) -> Result<Mean> {
        let total = base.add_variable("total", [], base.dtype)?;
        let count = base.add_variable("count", [], base.dtype)?;
        Ok(Mean { base, total, count })
    }

    /// Takes values into account, of which the mask says which count.
    pub fn update_values<'g>(&self, graph: &'g Graph, values: Value<'g>, weights: Weights<'g>) {
        let dtype = self.base.dtype;
        let (values, weight) = samplewise(values, weights, dtype, formulas::mean);
        assign_add(graph, &self.total, sum_all(values));
        let samples = match (weight, values.rank()) {
            (Some(weight), _) => sum_all(weight),
            (None, 0) => graph.scalar(1.0, dtype),
            (None, _) => graph.scalar(values.extent(0) as f64, dtype),
        };
        assign_add(graph, &self.count, samples);
    }
}

impl Metric for Mean {
    metric_base!();

    fn update<'g>(
        &self,
        graph: &'g Graph,
        inputs: &[Value<'g>],
        weights: Weights<'g>,
    ) -> Result<()> {
        let &[values] = inputs else { return Err(wrong_count(inputs, "the values")) };
        self.update_values(graph, values, weights);
        Ok(())
    }

    fn result<'g>(&self, graph: &'g Graph) -> Result<Value<'g>> {
        Ok(divide_no_nan(graph.read(&self.total), graph.read(&self.count)))
    }
}

/// `MeanMetricWrapper`: the mean of a function of labels and predictions.
pub struct MeanMetric {
    mean: Mean,
    function: Arc<dyn Function>,
}

impl MeanMetric {
    /// The mean of a function, in float32.
    ///
    /// # Errors
    /// If its variables cannot be made.
    pub fn new(name: impl Into<String>, function: Arc<dyn Function>) -> Result<MeanMetric> {
        MeanMetric::with_base(MetricBase::named(name), function)
    }

    pub(crate) fn with_base(base: MetricBase, function: Arc<dyn Function>) -> Result<MeanMetric> {
        Ok(MeanMetric { mean: Mean::with_base(base)?, function })
    }
}

impl Metric for MeanMetric {
    metric_base!(mean.base);

    fn update<'g>(
        &self,
        graph: &'g Graph,
        inputs: &[Value<'g>],
        weights: Weights<'g>,
    ) -> Result<()> {
        let (y_true, y_pred) = pair(inputs)?;
        let samples = self.function.call(y_true, y_pred);
        let sample_weight = apply_mask(weights, self.mean.base.dtype, Reduction::Sum);
        let weights = Weights { sample_weight, mask: samples.mask };
        self.mean.update_values(graph, samples.values, weights);
        Ok(())
    }

    fn result<'g>(&self, graph: &'g Graph) -> Result<Value<'g>> {
        self.mean.result(graph)
    }
}

/// The mean of a loss: what `compile` makes of one among its metrics. A loss that is reduced already
/// counts once for each batch.
pub struct MeanLoss {
    mean: Mean,
    loss: Arc<dyn Loss>,
}

impl MeanLoss {
    /// The mean of a loss under its name, in float32.
    ///
    /// # Errors
    /// If its variables cannot be made.
    pub fn new(loss: Arc<dyn Loss>) -> Result<MeanLoss> {
        let base = MetricBase::named(loss.name());
        MeanLoss::with_base(base, loss)
    }

    pub(crate) fn with_base(mut base: MetricBase, loss: Arc<dyn Loss>) -> Result<MeanLoss> {
        base.direction = Some(Direction::Down);
        Ok(MeanLoss { mean: Mean::with_base(base)?, loss })
    }
}

impl Metric for MeanLoss {
    metric_base!(mean.base);

    fn update<'g>(
        &self,
        graph: &'g Graph,
        inputs: &[Value<'g>],
        weights: Weights<'g>,
    ) -> Result<()> {
        let (y_true, y_pred) = pair(inputs)?;
        let mask_only = Weights { sample_weight: None, mask: weights.mask };
        let values = self.loss.compute(y_true, y_pred, mask_only);
        let sample_weight = apply_mask(weights, self.mean.base.dtype, Reduction::Sum);
        self.mean.update_values(graph, values, Weights { sample_weight, mask: None });
        Ok(())
    }

    fn result<'g>(&self, graph: &'g Graph) -> Result<Value<'g>> {
        self.mean.result(graph)
    }
}

/// Weighted values with one per sample, and the weight of each.
///
/// As in Keras, a mask of the values counts only where there are sample weights; places of a sample
/// that has one weight are reduced before they are weighted.
fn samplewise<'g>(
    values: Value<'g>,
    weights: Weights<'g>,
    dtype: DType,
    reduce: impl Fn(Value<'g>, &[usize]) -> Value<'g>,
) -> (Value<'g>, Option<Value<'g>>) {
    let from = |first: usize, x: Value<'g>| reduce(x, &(first..x.rank()).collect::<Vec<_>>());
    let values = values.cast(dtype);
    let Some(weight) = weights.sample_weight else { return (from(1, values), None) };
    let weights = Weights { sample_weight: Some(weight.cast(dtype)), ..weights };
    let weight = apply_mask(weights, dtype, Reduction::Sum).unwrap_or(weight);
    let (values, weight) = same_rank(values, weight);
    let values = from(weight.rank(), values);
    let rank = weight.rank();
    let weight = match weight.shape().broadcast(&values.shape()) {
        Ok(_) => weight.broadcast(values.shape()),
        Err(error) => weight.graph().failed(error),
    };
    let values = values * weight;
    let weight = if rank > 1 { from(1, weight) } else { weight };
    (from(1, values), Some(weight))
}
