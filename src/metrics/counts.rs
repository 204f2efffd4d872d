//! Counts of decisions, and the shares of them that are right.
//!
//! | metric | variables, float32, one element for each threshold |
//! | --- | --- |
//! | `TruePositives`, `FalsePositives`, `TrueNegatives`, `FalseNegatives` | accumulator |
//! | `Precision` | true_positives, false_positives |
//! | `Recall` | true_positives, false_negatives |
//!
//! Results are scalars for one threshold, vectors for a list of several.

use crate::base::{DType, Result};
use crate::graph::{Graph, Value};
use crate::layers::config::Config;
use crate::losses::Weights;
use crate::metrics::confusion::{Condition, Counts, Decisions, LOWEST, Thresholds, single};
use crate::metrics::metric::{assign_add, metric_base, optional_int, pair};
use crate::metrics::{Metric, MetricBase};
use crate::tensor::Variable;

/// How many decisions are of a kind.
pub(super) struct DecisionCount {
    base: MetricBase,
    condition: Condition,
    decisions: Decisions,
    accumulator: Variable,
}

impl DecisionCount {
    pub(super) fn from_config(config: &Config, condition: Condition) -> Result<DecisionCount> {
        let mut base = MetricBase::new(config, condition.name())?;
        let decisions = Decisions::at(Thresholds::from_config(config, 0.5)?);
        let shape = [decisions.thresholds.len()];
        let accumulator = base.add_variable("accumulator", shape, DType::Float32)?;
        Ok(DecisionCount { base, condition, decisions, accumulator })
    }
}

impl Metric for DecisionCount {
    metric_base!();

    fn update<'g>(
        &self,
        graph: &'g Graph,
        inputs: &[Value<'g>],
        weights: Weights<'g>,
    ) -> Result<()> {
        let (y_true, y_pred) = pair(inputs)?;
        let decided = self.decisions.of(y_true, y_pred, weights.sample_weight)?;
        assign_add(graph, &self.accumulator, decided.count(self.condition));
        Ok(())
    }

    fn result<'g>(&self, graph: &'g Graph) -> Result<Value<'g>> {
        Ok(single(graph.read(&self.accumulator)))
    }
}

/// `Precision` and `Recall`: true positives among them and the decisions of another kind.
pub(super) struct PositiveShare {
    base: MetricBase,
    other: Condition,
    decisions: Decisions,
    counts: Counts,
}

impl PositiveShare {
    /// The share with `other`: false positives for precision, false negatives for recall.
    pub(super) fn from_config(config: &Config, other: Condition) -> Result<PositiveShare> {
        let mut base = MetricBase::new(config, "")?;
        let top_k = config.optional_size("top_k")?;
        let otherwise = if top_k.is_some() { LOWEST } else { 0.5 };
        let thresholds = Thresholds::from_config(config, otherwise)?;
        let kept = [Condition::TruePositives, other];
        let counts = Counts::new(&mut base, &kept, [thresholds.len()])?;
        let class_id = optional_int(config, "class_id")?;
        let decisions = Decisions { top_k, class_id, ..Decisions::at(thresholds) };
        Ok(PositiveShare { base, other, decisions, counts })
    }
}

impl Metric for PositiveShare {
    metric_base!();

    fn update<'g>(
        &self,
        graph: &'g Graph,
        inputs: &[Value<'g>],
        weights: Weights<'g>,
    ) -> Result<()> {
        let (y_true, y_pred) = pair(inputs)?;
        let decided = self.decisions.of(y_true, y_pred, weights.sample_weight)?;
        self.counts.update(graph, &decided);
        Ok(())
    }

    fn result<'g>(&self, graph: &'g Graph) -> Result<Value<'g>> {
        Ok(single(self.counts.share(graph, Condition::TruePositives, self.other)))
    }
}
