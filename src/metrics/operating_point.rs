//! The best share of right decisions at a threshold at which another share is large enough.
//!
//! | metric | largest | among thresholds with |
//! | --- | --- | --- |
//! | `SensitivityAtSpecificity` | sensitivity | a `specificity` of at least |
//! | `SpecificityAtSensitivity` | specificity | a `sensitivity` of at least |
//! | `PrecisionAtRecall` | precision | a `recall` of at least |
//! | `RecallAtPrecision` | recall | a `precision` of at least |
//!
//! Variables: true_positives, false_positives, true_negatives, false_negatives, float32, one element
//! for each of `num_thresholds`.

use crate::base::Result;
use crate::graph::{Graph, Value};
use crate::layers::config::Config;
use crate::losses::Weights;
use crate::metrics::confusion::{Condition, Counts, Decisions, Thresholds};
use crate::metrics::metric::{metric_base, optional_int, pair};
use crate::metrics::{Metric, MetricBase};

/// A share of decisions.
#[derive(Clone, Copy, Debug)]
pub(super) enum Share {
    /// Of right labels, those found; also called recall.
    Sensitivity,
    /// Of wrong labels, those not taken for right.
    Specificity,
    /// Of what was taken for right, what is.
    Precision,
}

impl Share {
    fn read<'g>(self, counts: &Counts, graph: &'g Graph) -> Value<'g> {
        let (part, other) = match self {
            Share::Sensitivity => (Condition::TruePositives, Condition::FalseNegatives),
            Share::Specificity => (Condition::TrueNegatives, Condition::FalsePositives),
            Share::Precision => (Condition::TruePositives, Condition::FalsePositives),
        };
        counts.share(graph, part, other)
    }
}

/// The largest value of one share where another is at least as large as a given number.
pub(super) struct OperatingPoint {
    base: MetricBase,
    decisions: Decisions,
    counts: Counts,
    largest: Share,
    constrained: Share,
    least: f64,
}

impl OperatingPoint {
    /// The metric whose config holds what `constrained` must at least be under `key`.
    pub(super) fn from_config(
        config: &Config,
        largest: Share,
        (key, constrained): (&str, Share),
    ) -> Result<OperatingPoint> {
        let mut base = MetricBase::new(config, "")?;
        let least = config.float(key)?;
        if !(0.0..=1.0).contains(&least) {
            return Err(config.bad(key, "a number from 0 to 1"));
        }
        let thresholds = match config.size("num_thresholds")? {
            1 => Thresholds::List(vec![0.5]),
            count => Thresholds::Even { count, open: false },
        };
        let counts = Counts::new(&mut base, &Condition::ALL, [thresholds.len()])?;
        let class_id = optional_int(config, "class_id")?;
        let decisions = Decisions { class_id, ..Decisions::at(thresholds) };
        Ok(OperatingPoint { base, decisions, counts, largest, constrained, least })
    }
}

impl Metric for OperatingPoint {
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
        let constrained = self.constrained.read(&self.counts, graph);
        let largest = self.largest.read(&self.counts, graph);
        let feasible = constrained.binary("ge", constrained.scalar_like(self.least));
        let zero = largest.scalar_like(0.0);
        Ok(feasible.select(largest, zero).max(&[0]).maximum(zero))
    }
}
