//! A model's weight, as optimizers see it.

use std::sync::Arc;

use crate::base::Result;
use crate::constraints::Constraint;
use crate::optimizers::Step;
use crate::tensor::Variable;

/// A trainable weight of a model and what an optimizer has to know of it.
#[derive(Clone)]
pub struct Weight {
    /// The weight's value.
    pub variable: Variable,
    /// The names of the layers around it and its own, such as `dense/kernel`.
    pub path: String,
    /// Whether weight decay reaches it; Keras's `exclude_from_weight_decay`.
    pub decays: bool,
    /// Whether its gradient is its next value, as for the scales of float8 layers.
    pub overwritten: bool,
    /// What it is brought back to after an update.
    pub constraint: Option<Arc<dyn Constraint>>,
}

impl Weight {
    /// A weight that decays and is changed by its gradient.
    pub fn new(path: &str, variable: Variable) -> Weight {
        Weight { variable, path: path.into(), decays: true, overwritten: false, constraint: None }
    }

    /// Brings the weight's value back to what its constraint allows.
    pub(crate) fn constrain(&self, step: &Step<'_>) -> Result<()> {
        if let Some(constraint) = &self.constraint {
            step.assign(&self.variable, constraint.call(step.read(&self.variable))?);
        }
        Ok(())
    }
}
