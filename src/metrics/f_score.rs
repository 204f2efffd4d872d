//! `keras.metrics.FBetaScore` and `F1Score`: the harmonic mean of precision and recall, in which
//! recall counts `beta` times as much.
//!
//! | variable | shape |
//! | --- | --- |
//! | true_positives, false_positives, false_negatives, intermediate_weights | (classes,); () for `average="micro"` |

use crate::base::{Error, Result, Spec};
use crate::graph::{Graph, Value};
use crate::layers::config::{Config, Json};
use crate::losses::Weights;
use crate::metrics::metric::{assign_add, metric_base, pair, unbuilt};
use crate::metrics::{Metric, MetricBase};
use crate::operations::formulas::{EPSILON, mean, sum_all};
use crate::tensor::Variable;

/// How scores of classes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Average {
    /// A score for each class.
    None,
    /// The score of all decisions together.
    Micro,
    /// The mean over classes.
    Macro,
    /// The mean over classes, weighted by how many labels each has.
    Weighted,
}

/// The score of precision and recall.
pub(super) struct FBetaScore {
    base: MetricBase,
    average: Average,
    beta: f64,
    threshold: Option<f64>,
    counts: Option<Counts>,
}

/// The variables, in Keras's order.
struct Counts {
    true_positives: Variable,
    false_positives: Variable,
    false_negatives: Variable,
    /// The sum of the labels.
    labels: Variable,
}

impl FBetaScore {
    pub(super) fn from_config(config: &Config) -> Result<FBetaScore> {
        let beta = float(config, "beta")?;
        if beta <= 0.0 {
            return Err(config.bad("beta", "a number above 0"));
        }
        FBetaScore::with_beta(config, beta)
    }

    /// The score of a config without the key `beta`.
    pub(super) fn with_beta(config: &Config, beta: f64) -> Result<FBetaScore> {
        let average = match config.is_null("average") {
            true => Average::None,
            false => config.choice(
                "average",
                &[
                    ("micro", Average::Micro),
                    ("macro", Average::Macro),
                    ("weighted", Average::Weighted),
                ],
            )?,
        };
        let threshold = match config.is_null("threshold") {
            true => None,
            false => Some(float(config, "threshold")?),
        };
        if threshold.is_some_and(|t| !(t > 0.0 && t <= 1.0)) {
            return Err(config.bad("threshold", "a number above 0 and at most 1"));
        }
        let base = MetricBase::new(config, "")?;
        Ok(FBetaScore { base, average, beta, threshold, counts: None })
    }

    fn counts(&self) -> Result<&Counts> {
        self.counts.as_ref().ok_or_else(|| unbuilt(&self.base))
    }

    /// Weights of samples, ready to be multiplied with values (batch, classes).
    ///
    /// # Errors
    /// If they are not one for each sample.
    fn weight<'g>(&self, weight: Value<'g>, y_true: Value<'g>) -> Result<Value<'g>> {
        let (shape, samples) = (weight.shape(), y_true.extent(0));
        match *shape.as_slice() {
            [n] if n == samples || n == 1 => Ok(weight.reshape([n, 1])),
            // As in Keras, a column of weights meets every row of values. Their sum over everything
            // is what the weights add up to, times what the values do.
            [n, 1] if n == samples && self.average == Average::Micro => Ok(sum_all(weight)),
            _ => {
                let expected = "one weight for each sample, in one axis";
                Err(Error::shape(&self.base.name, format!("weights {shape}"), expected))
            }
        }
    }

    /// Whether classes are predicted: those above the threshold, without one the most probable.
    fn decide<'g>(&self, y_pred: Value<'g>) -> Value<'g> {
        let positive = match self.threshold {
            Some(threshold) => y_pred.binary("gt", y_pred.scalar_like(threshold)),
            None => {
                let highest = y_pred.max(&[1]).keep_axes(&y_pred.shape(), &[1]);
                // A row of zeros predicts no class.
                let there = y_pred.abs().binary("gt", y_pred.scalar_like(1e-9));
                y_pred.binary("ge", highest).binary("and", there)
            }
        };
        positive.cast(self.base.dtype)
    }
}

/// A number that Keras takes as a float only.
fn float(config: &Config, key: &str) -> Result<f64> {
    match config.get(key) {
        Json::Number(n) if n.is_i64() || n.is_u64() => Err(config.bad(key, "a float, such as 1.0")),
        _ => config.float(key),
    }
}

impl Metric for FBetaScore {
    metric_base!();

    fn build(&mut self, inputs: &[Spec]) -> Result<()> {
        let shapes: Vec<&[usize]> = inputs.iter().map(|spec| spec.shape.as_slice()).collect();
        let &[&[_, _], &[_, classes]] = shapes.as_slice() else {
            let found = format!("{shapes:?}");
            let expected = "labels and predictions (batch, classes)";
            return Err(Error::shape(&self.base.name, found, expected));
        };
        let shape = if self.average == Average::Micro { vec![] } else { vec![classes] };
        let dtype = self.base.dtype;
        let mut zeros = |name: &str| self.base.add_variable(name, shape.clone(), dtype);
        self.counts = Some(Counts {
            true_positives: zeros("true_positives")?,
            false_positives: zeros("false_positives")?,
            false_negatives: zeros("false_negatives")?,
            labels: zeros("intermediate_weights")?,
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
        let (counts, dtype) = (self.counts()?, self.base.dtype);
        if y_true.rank() != 2 || y_true.shape() != y_pred.shape() {
            let found = format!("labels {} and predictions {}", y_true.shape(), y_pred.shape());
            return Err(Error::shape(&self.base.name, found, "one shape (batch, classes)"));
        }
        let (y_true, y_pred) = (y_true.cast(dtype), self.decide(y_pred.cast(dtype)));
        let weight = weights.sample_weight.map(|weight| self.weight(weight.cast(dtype), y_true));
        let weight = weight.transpose()?;
        let one = y_true.scalar_like(1.0);
        let add = |variable: &Variable, x: Value<'g>| {
            let x = weight.map_or(x, |weight| x * weight);
            let sum = if self.average == Average::Micro { sum_all(x) } else { x.sum(&[0]) };
            assign_add(graph, variable, sum);
        };
        add(&counts.true_positives, y_pred * y_true);
        add(&counts.false_positives, y_pred * (one - y_true));
        add(&counts.false_negatives, (one - y_pred) * y_true);
        add(&counts.labels, y_true);
        Ok(())
    }

    fn result<'g>(&self, graph: &'g Graph) -> Result<Value<'g>> {
        let counts = self.counts()?;
        let right = graph.read(&counts.true_positives);
        let precision = right / (right + graph.read(&counts.false_positives) + EPSILON);
        let recall = right / (right + graph.read(&counts.false_negatives) + EPSILON);
        let square = self.beta * self.beta;
        let harmonic = precision * recall / (precision * square + recall + EPSILON);
        let score = harmonic * (1.0 + square);
        Ok(match self.average {
            Average::None | Average::Micro => score,
            Average::Macro => mean(score, &[0]),
            Average::Weighted => {
                let labels = graph.read(&counts.labels);
                sum_all(score * (labels / (sum_all(labels) + EPSILON)))
            }
        })
    }
}
