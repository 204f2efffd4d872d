//! What training asks of a layer's weights and output: regularizers and constraints.

use std::sync::Arc;

use crate::base::{DType, Result};
use crate::constraints::{self, Constraint};
use crate::graph::{LossOwner, Value};
use crate::layers::config::Config;
use crate::regularizers::{self, Regularizer};

/// The regularizers and constraints of a layer, by the prefixes of their config keys.
#[derive(Clone, Default)]
pub struct WeightRules {
    regularizers: Vec<(String, Arc<dyn Regularizer>)>,
    constraints: Vec<(String, Arc<dyn Constraint>)>,
    /// The penalty on the layer's outputs.
    pub activity: Option<Arc<dyn Regularizer>>,
}

impl WeightRules {
    /// Reads every argument that ends in `_regularizer` or `_constraint`. Each layer of Keras takes
    /// `activity_regularizer`.
    ///
    /// # Errors
    /// If one names nothing of Keras, or its config cannot be used.
    pub fn from_config(config: &Config) -> Result<WeightRules> {
        let activity = regularizers::from_config(config, "activity_regularizer")?;
        let mut rules = WeightRules { activity, ..WeightRules::default() };
        let declared = |key: &&String| *key != "activity_regularizer" && config.declares(key);
        for key in config.given().keys().filter(declared) {
            if let Some(weight) = key.strip_suffix("_regularizer") {
                let found = regularizers::from_config(config, key)?;
                rules.regularizers.extend(found.map(|rule| (weight.to_owned(), rule)));
            } else if let Some(weight) = key.strip_suffix("_constraint") {
                let found = constraints::from_config(config, key)?;
                rules.constraints.extend(found.map(|rule| (weight.to_owned(), rule)));
            }
        }
        Ok(rules)
    }

    /// The regularizer of the weight of this name.
    pub fn regularizer(&self, weight: &str) -> Option<&Arc<dyn Regularizer>> {
        self.regularizers.iter().find(|(key, _)| is_of(key, weight)).map(|(_, rule)| rule)
    }

    /// The constraint of the weight of this name.
    pub fn constraint(&self, weight: &str) -> Option<&Arc<dyn Constraint>> {
        self.constraints.iter().find(|(key, _)| is_of(key, weight)).map(|(_, rule)| rule)
    }

    /// Adds the penalty on an output of `owner` to the loss: the mean over the batch.
    ///
    /// # Errors
    /// If the regularizer cannot be put on an output of this shape.
    pub fn add_activity_loss(&self, owner: LossOwner, output: Value<'_>) -> Result<()> {
        if let Some(rule) = &self.activity {
            let whole = output.dtype().is_int() || output.dtype() == DType::Bool;
            let loss = rule.call(if whole { output.cast(DType::Float32) } else { output })?;
            let batch = if output.rank() == 0 { 1 } else { output.extent(0) };
            output.graph().add_loss(owner, loss / batch as f64);
        }
        Ok(())
    }
}

/// Whether a key such as `recurrent` is about a weight such as `recurrent_kernel`. Depthwise
/// convolutions call their weight `kernel` and its settings `depthwise`.
fn is_of(key: &str, weight: &str) -> bool {
    weight == key
        || weight.strip_suffix("_kernel") == Some(key)
        || (key == "depthwise" && weight == "kernel")
}
