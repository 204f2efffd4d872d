//! Errors of regression that are not means over samples.
//!
//! | metric | variables |
//! | --- | --- |
//! | `RootMeanSquaredError` | total, count |
//! | `R2Score` | num_samples, squared_sum, sum, residual, count |

use crate::base::{DType, Error, Result, Spec};
use crate::graph::{Graph, Value};
use crate::layers::config::Config;
use crate::losses::weighting::aligned_shapes;
use crate::losses::{Weights, same_rank};
use crate::metrics::metric::{assign_add, metric_base, pair, unbuilt};
use crate::metrics::{Mean, Metric, MetricBase};
use crate::operations::formulas::{mean, sum_all};
use crate::tensor::Variable;

/// `keras.metrics.RootMeanSquaredError`: the root of the mean squared difference.
pub(super) struct RootMeanSquaredError(Mean);

impl RootMeanSquaredError {
    pub(super) fn from_config(config: &Config) -> Result<RootMeanSquaredError> {
        Mean::from_config(config).map(RootMeanSquaredError)
    }
}

impl Metric for RootMeanSquaredError {
    fn base(&self) -> &MetricBase {
        self.0.base()
    }

    fn base_mut(&mut self) -> &mut MetricBase {
        self.0.base_mut()
    }

    fn update<'g>(
        &self,
        graph: &'g Graph,
        inputs: &[Value<'g>],
        weights: Weights<'g>,
    ) -> Result<()> {
        let (y_true, y_pred) = pair(inputs)?;
        let dtype = self.base().dtype;
        let (y_true, y_pred) = same_rank(y_true.cast(dtype), y_pred.cast(dtype));
        // Keras takes squares of the predictions, which have lost their mask.
        let weights = Weights { mask: None, ..weights };
        self.0.update_values(graph, (y_pred - y_true).square(), weights);
        Ok(())
    }

    fn result<'g>(&self, graph: &'g Graph) -> Result<Value<'g>> {
        Ok(self.0.result(graph)?.sqrt())
    }
}

/// How scores of outputs become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregation {
    /// A score for each output.
    None,
    Uniform,
    /// By how much the labels of an output vary.
    Variance,
}

/// `keras.metrics.R2Score`: the share of the labels' variance that predictions explain.
pub(super) struct R2Score {
    base: MetricBase,
    aggregation: Aggregation,
    /// The number of regressors that the score is adjusted for; 0 for no adjustment.
    regressors: i64,
    samples: Variable,
    sums: Option<Sums>,
}

/// Variables of sums over samples, one element for each output.
struct Sums {
    squares: Variable,
    labels: Variable,
    residual: Variable,
    weights: Variable,
}

impl R2Score {
    pub(super) fn from_config(config: &Config) -> Result<R2Score> {
        let aggregation = match config.is_null("class_aggregation") {
            true => Aggregation::None,
            false => config.choice(
                "class_aggregation",
                &[
                    ("uniform_average", Aggregation::Uniform),
                    ("variance_weighted_average", Aggregation::Variance),
                ],
            )?,
        };
        let regressors = config.int("num_regressors")?;
        if regressors < 0 {
            return Err(config.bad("num_regressors", "at least 0"));
        }
        let mut base = MetricBase::new(config, "")?;
        let samples = base.add_variable("num_samples", [], DType::Float32)?;
        Ok(R2Score { base, aggregation, regressors, samples, sums: None })
    }

    fn sums(&self) -> Result<&Sums> {
        self.sums.as_ref().ok_or_else(|| unbuilt(&self.base))
    }

    /// The score that more regressors make smaller, where there are fewer of them than samples less
    /// one.
    fn adjusted<'g>(&self, graph: &'g Graph, score: Value<'g>) -> Value<'g> {
        if self.regressors == 0 {
            return score;
        }
        let n = graph.read(&self.samples);
        let p = n.scalar_like(self.regressors as f64);
        let one = score.scalar_like(1.0);
        let enough = p.binary("lt", n - 1.0);
        enough.select(one - (one - score) * (n - 1.0) / (n - p - 1.0), score)
    }
}

impl Metric for R2Score {
    metric_base!();

    fn build(&mut self, inputs: &[Spec]) -> Result<()> {
        let [y_true, y_pred] = inputs else { return Err(unbuilt(&self.base)) };
        let (y_true, y_pred) = aligned_shapes(&y_true.shape, &y_pred.shape, true);
        let (&[_, _], &[_, outputs]) = (y_true.as_slice(), y_pred.as_slice()) else {
            let found = format!("labels {y_true} and predictions {y_pred}");
            return Err(Error::shape("R2Score", found, "(batch, outputs)"));
        };
        let mut zeros = |name: &str| self.base.add_variable(name, [outputs], DType::Float32);
        self.sums = Some(Sums {
            squares: zeros("squared_sum")?,
            labels: zeros("sum")?,
            residual: zeros("residual")?,
            weights: zeros("count")?,
        });
        Ok(())
    }

    fn update<'g>(
        &self,
        graph: &'g Graph,
        inputs: &[Value<'g>],
        weights: Weights<'g>,
    ) -> Result<()> {
        let (y_true, y_pred) = pair(inputs)?;
        let (sums, dtype) = (self.sums()?, self.base.dtype);
        let (y_true, y_pred) = same_rank(y_true.cast(dtype), y_pred.cast(dtype));
        let shape = y_true.shape();
        if shape.rank() != 2 || y_pred.shape() != shape {
            let found = format!("labels {shape} and predictions {}", y_pred.shape());
            return Err(Error::shape("R2Score", found, "one shape (batch, outputs)"));
        }
        let weight = match weights.sample_weight.map(|w| w.cast(dtype)) {
            None => y_true.like(1.0),
            Some(weight) if weight.rank() == 1 => weight.reshape([weight.extent(0), 1]),
            Some(weight) => weight,
        };
        if weight.shape().broadcast(&shape)? != shape {
            let found = format!("weights {} for labels {shape}", weight.shape());
            return Err(Error::shape("R2Score", found, "weights that fit the labels"));
        }
        let weight = weight.broadcast(shape.clone());
        let weighted = y_true * weight;
        assign_add(graph, &sums.labels, weighted.sum(&[0]));
        assign_add(graph, &sums.squares, (y_true * weighted).sum(&[0]));
        assign_add(graph, &sums.residual, ((y_true - y_pred).square() * weight).sum(&[0]));
        assign_add(graph, &sums.weights, weight.sum(&[0]));
        assign_add(graph, &self.samples, graph.scalar(shape.len() as f64, DType::Float32));
        Ok(())
    }

    fn result<'g>(&self, graph: &'g Graph) -> Result<Value<'g>> {
        let sums = self.sums()?;
        let labels = graph.read(&sums.labels);
        let total = graph.read(&sums.squares) - labels * (labels / graph.read(&sums.weights));
        let scores = total.scalar_like(1.0) - graph.read(&sums.residual) / total;
        let scores = scores.unary("isinf").select(scores.scalar_like(0.0), scores);
        let score = match self.aggregation {
            Aggregation::None => scores,
            Aggregation::Uniform => mean(scores, &[0]),
            Aggregation::Variance => sum_all(total * scores) / sum_all(total),
        };
        Ok(self.adjusted(graph, score))
    }
}
