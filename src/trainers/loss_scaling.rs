//! Whether `compile` puts a `LossScaleOptimizer` around an optimizer.

use std::sync::Arc;

use crate::base::{DType, Nested, Result};
use crate::layers::{DTypePolicy, Layer};
use crate::models::Model;
use crate::saving::store::Store;

/// What decides whether the loss is scaled.
///
/// Keras goes by the policy of the process that calls `compile`. There is none here. The policy of a
/// new model is `mixed_float16` when that is the policy of one of its layers; what a file keeps of an
/// optimizer says how it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LossScaling {
    /// The model's policy.
    ByPolicy,
    /// The state of an optimizer in a file.
    Saved(bool),
}

impl LossScaling {
    /// What the state of an optimizer says, where a file has any.
    pub fn of_file(store: &dyn Store) -> Result<LossScaling> {
        let has = |path| Ok(store.group(path)?.is_some_and(|group| !group.datasets.is_empty()));
        Ok(match (has("optimizer/vars")?, has("optimizer/inner_optimizer/vars")?) {
            (false, _) => LossScaling::ByPolicy,
            (true, scaled) => LossScaling::Saved(scaled),
        })
    }

    /// Whether the loss of a model is scaled.
    pub fn applies(self, model: &Model) -> bool {
        match self {
            LossScaling::Saved(scaled) => scaled,
            LossScaling::ByPolicy => {
                model.config["config"]["dtype"]["config"]["name"] == "mixed_float16"
                    || has_mixed_part(model.root().as_ref())
            }
        }
    }
}

/// Whether a layer or one within it computes in float16 on variables of float32.
fn has_mixed_part(layer: &dyn Layer) -> bool {
    let is_mixed = |policy: &DTypePolicy| {
        (policy.compute, policy.variable) == (DType::Float16, DType::Float32)
    };
    let within = |(_, parts): (_, Nested<Arc<dyn Layer>>)| {
        parts.flatten().into_iter().any(|part| has_mixed_part(part.as_ref()))
    };
    is_mixed(&layer.base().policy) || layer.children().into_iter().any(within)
}
