//! `keras.metrics.AUC`: the area under a curve of shares over thresholds.
//!
//! | variable | shape |
//! | --- | --- |
//! | true_positives, false_positives, true_negatives, false_negatives | (thresholds,), or (thresholds, labels) with `multi_label`; float32 |

use crate::activations::Activation;
use crate::base::{Error, Result, Spec};
use crate::graph::{Graph, Value};
use crate::layers::config::{Config, Json};
use crate::layers::numbers::numbers;
use crate::losses::Weights;
use crate::metrics::confusion::{Condition, Counts, Decisions, Thresholds, is_even};
use crate::metrics::metric::{metric_base, pair, unbuilt};
use crate::metrics::{Metric, MetricBase};
use crate::operations::formulas::{EPSILON, divide_no_nan, float, mean, sum_all};
use crate::saving::json;
use crate::tensor::Tensor;

/// The curve under which the area is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Curve {
    /// True positive rate over false positive rate.
    Roc,
    /// Precision over recall.
    PrecisionRecall,
    /// Gain of precision over gain of recall (Flach and Kull 2015).
    Gain,
}

const CURVES: &[(&str, Curve)] = &[
    ("ROC", Curve::Roc),
    ("roc", Curve::Roc),
    ("PR", Curve::PrecisionRecall),
    ("pr", Curve::PrecisionRecall),
    ("PRGAIN", Curve::Gain),
    ("prgain", Curve::Gain),
];

/// The height between two points of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Summation {
    Interpolation,
    Majoring,
    Minoring,
}

const SUMMATIONS: &[(&str, Summation)] = &[
    ("interpolation", Summation::Interpolation),
    ("Interpolation", Summation::Interpolation),
    ("majoring", Summation::Majoring),
    ("Majoring", Summation::Majoring),
    ("minoring", Summation::Minoring),
    ("Minoring", Summation::Minoring),
];

/// The area under a curve.
pub(super) struct Auc {
    base: MetricBase,
    decisions: Decisions,
    counts: Option<Counts>,
    curve: Curve,
    summation: Summation,
    from_logits: bool,
    /// Weights of the labels' areas in their mean.
    label_weights: Option<Tensor>,
}

impl Auc {
    pub(super) fn from_config(config: &Config) -> Result<Auc> {
        let mut base = MetricBase::new(config, "auc")?;
        let multi_label = config.bool("multi_label")?;
        let labels = match config.get("num_labels") {
            Json::Number(n) if n.as_u64() == Some(0) => None,
            _ => config.optional_size("num_labels")?,
        };
        if !multi_label && labels.is_some() {
            return Err(config.bad("num_labels", "null: multi_label is false"));
        }
        let label_weights = match config.is_null("label_weights") {
            true => None,
            false => Some(numbers(config, "label_weights")?),
        };
        let thresholds = thresholds(config)?;
        let counts = match (multi_label, labels) {
            (true, None) => None,
            (true, Some(labels)) => Some(counts(&mut base, &[thresholds.len(), labels])?),
            (false, _) => Some(counts(&mut base, &[thresholds.len()])?),
        };
        // Areas of labels are weighted in the result, decisions about them are not.
        let of_decisions = label_weights.clone().filter(|_| !multi_label);
        let decisions = Decisions {
            by_label: multi_label,
            label_weights: of_decisions,
            ..Decisions::at(thresholds)
        };
        let curve = config.choice("curve", CURVES)?;
        let summation = config.choice("summation_method", SUMMATIONS)?;
        let from_logits = config.bool("from_logits")?;
        Ok(Auc { base, decisions, counts, curve, summation, from_logits, label_weights })
    }

    fn counts(&self) -> Result<&Counts> {
        self.counts.as_ref().ok_or_else(|| unbuilt(&self.base))
    }

    /// The mean of the areas of the labels, or the only area.
    fn over_labels<'g>(&self, areas: Value<'g>) -> Value<'g> {
        match (&self.label_weights, self.decisions.by_label) {
            (_, false) => areas,
            (None, true) => mean(areas, &[0]),
            (Some(weights), true) => {
                let weights = areas.graph().constant(weights.cast(areas.dtype()));
                divide_no_nan(sum_all(areas * weights), sum_all(weights))
            }
        }
    }
}

fn counts(base: &mut MetricBase, shape: &[usize]) -> Result<Counts> {
    Counts::new(base, &Condition::ALL, shape)
}

/// The thresholds between 0 and 1, with one a little below 0 and one a little above 1.
fn thresholds(config: &Config) -> Result<Thresholds> {
    let count = config.int("num_thresholds")?;
    let mut list = match config.get("thresholds") {
        Json::Null if count < 2 => return Err(config.bad("num_thresholds", "at least 2")),
        Json::Null => {
            return Ok(Thresholds::Even { count: config.size("num_thresholds")?, open: true });
        }
        Json::Array(items) => items
            .iter()
            .map(json::float)
            .collect::<Option<Vec<_>>>()
            .filter(|list| !list.iter().any(|t| t.is_nan()))
            .ok_or_else(|| config.bad("thresholds", "a list of numbers"))?,
        _ => return Err(config.bad("thresholds", "a list of numbers")),
    };
    list.sort_by(f64::total_cmp);
    let closed: Vec<f64> = [0.0].into_iter().chain(list.iter().copied()).chain([1.0]).collect();
    Ok(match is_even(&closed) {
        true => Thresholds::Even { count: closed.len(), open: true },
        false => {
            list.insert(0, -EPSILON);
            list.push(1.0 + EPSILON);
            Thresholds::List(list)
        }
    })
}

impl Metric for Auc {
    metric_base!();

    fn build(&mut self, inputs: &[Spec]) -> Result<()> {
        if self.counts.is_some() {
            return Ok(());
        }
        let [_, y_pred] = inputs else { return Err(unbuilt(&self.base)) };
        let &[_, labels] = y_pred.shape.as_slice() else {
            let found = format!("predictions {}", y_pred.shape);
            return Err(Error::shape("AUC with multi_label", found, "(batch, labels)"));
        };
        self.counts = Some(counts(&mut self.base, &[self.decisions.thresholds.len(), labels])?);
        Ok(())
    }

    fn update<'g>(
        &self,
        graph: &'g Graph,
        inputs: &[Value<'g>],
        weights: Weights<'g>,
    ) -> Result<()> {
        let (y_true, y_pred) = pair(inputs)?;
        let y_pred = match self.from_logits {
            true => Activation::named("sigmoid").map_or(y_pred, |f| f.apply(float(y_pred))),
            false => y_pred,
        };
        if self.decisions.by_label && y_pred.rank() != 2 {
            let found = format!("predictions {}", y_pred.shape());
            return Err(Error::shape("AUC with multi_label", found, "(batch, labels)"));
        }
        let decided = self.decisions.of(y_true, y_pred, weights.sample_weight)?;
        self.counts()?.update(graph, &decided);
        Ok(())
    }

    fn result<'g>(&self, graph: &'g Graph) -> Result<Value<'g>> {
        let counts = Curves { graph, counts: self.counts()? };
        if (self.curve, self.summation) == (Curve::PrecisionRecall, Summation::Interpolation) {
            return Ok(self.over_labels(counts.interpolated()));
        }
        let (x, y) = match self.curve {
            Curve::Roc => counts.roc(),
            Curve::PrecisionRecall => counts.precision_recall(),
            Curve::Gain => counts.gain(),
        };
        let (low, high) = (upper(y), lower(y));
        let heights = match self.summation {
            Summation::Interpolation => (low + high) / 2.0,
            Summation::Majoring => low.maximum(high),
            Summation::Minoring => low.minimum(high),
        };
        Ok(self.over_labels(((upper(x) - lower(x)) * heights).sum(&[0])))
    }
}

/// All thresholds but the last.
fn upper(x: Value<'_>) -> Value<'_> {
    x.narrow(0, 0, x.extent(0).saturating_sub(1))
}

/// All thresholds but the first.
fn lower(x: Value<'_>) -> Value<'_> {
    x.narrow(0, 1, x.extent(0).saturating_sub(1))
}

/// Points of curves, one for each threshold.
struct Curves<'a, 'g> {
    graph: &'g Graph,
    counts: &'a Counts,
}

impl<'g> Curves<'_, 'g> {
    fn share(&self, part: Condition, other: Condition) -> Value<'g> {
        self.counts.share(self.graph, part, other)
    }

    fn recall(&self) -> Value<'g> {
        self.share(Condition::TruePositives, Condition::FalseNegatives)
    }

    fn roc(&self) -> (Value<'g>, Value<'g>) {
        (self.share(Condition::FalsePositives, Condition::TrueNegatives), self.recall())
    }

    fn precision_recall(&self) -> (Value<'g>, Value<'g>) {
        (self.recall(), self.share(Condition::TruePositives, Condition::FalsePositives))
    }

    /// Gains are 1 minus a share of mistakes scaled by that of right labels; recall gain is at least
    /// 0. Without true positives they are 0 for recall and 1 for precision.
    fn gain(&self) -> (Value<'g>, Value<'g>) {
        let [tp, fp, tn, fal] = Condition::ALL.map(|c| self.counts.read(self.graph, c));
        let (zero, one) = (tp.scalar_like(0.0), tp.scalar_like(1.0));
        let scale = divide_no_nan(tp + fal, tn + fp);
        let none = tp.binary("eq", zero);
        let recall = none.select(zero, one - scale * divide_no_nan(fal, tp));
        let precision = none.select(one, one - scale * divide_no_nan(fp, tp));
        (recall.maximum(zero), precision)
    }

    /// The areas between neighbouring thresholds under the curve of precision over recall, along
    /// which true positives are linear in all positives (Davis and Goadrich 2006), summed.
    fn interpolated(&self) -> Value<'g> {
        let [tp, fp, _, missed] = Condition::ALL.map(|c| self.counts.read(self.graph, c));
        let (p, zero) = (tp + fp, tp.scalar_like(0.0));
        let step = upper(tp) - lower(tp);
        let slope = divide_no_nan(step, (upper(p) - lower(p)).maximum(zero));
        let intercept = lower(tp) - slope * lower(p);
        let positive = |x: Value<'g>| x.binary("gt", zero);
        let ratio = divide_no_nan(upper(p), lower(p).maximum(zero));
        let ratio =
            positive(upper(p)).binary("and", positive(lower(p))).select(ratio, ratio.like(1.0));
        let gain = slope * (step + intercept * ratio.log());
        divide_no_nan(gain, (lower(tp) + lower(missed)).maximum(zero)).sum(&[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_of_one_half_are_even() {
        let of = |json: Json| {
            let Json::Object(map) = json else { unreachable!() };
            let defaults = serde_json::json!({ "num_thresholds": 200 });
            thresholds(&Config::new("AUC".into(), map, defaults))
        };
        let even = of(serde_json::json!({ "thresholds": [0.5] }));
        assert!(matches!(even, Ok(Thresholds::Even { count: 3, open: true })), "{even:?}");
        let uneven = of(serde_json::json!({ "thresholds": [0.9, 0.5] }));
        assert!(
            matches!(&uneven, Ok(Thresholds::List(list)) if list[1..3] == [0.5, 0.9]),
            "{uneven:?}"
        );
        assert!(of(serde_json::json!({ "num_thresholds": 1 })).is_err());
    }
}
