//! Optimizers as the saving walk sees them.

use std::sync::Arc;

use crate::optimizers::SharedOptimizer;
use crate::saving::saveable::{Child, Kind, Saveable};
use crate::tensor::Variable;

/// An optimizer with its state.
pub struct SavedOptimizer(pub SharedOptimizer);

impl Saveable for SavedOptimizer {
    fn class_name(&self) -> &str {
        self.0.class_name()
    }

    fn name(&self) -> Option<String> {
        Some(self.0.name().to_owned())
    }

    fn own_variables(&self) -> Vec<(String, Variable)> {
        let variables = self.0.variables().into_iter().enumerate();
        variables.map(|(i, variable)| (i.to_string(), variable)).collect()
    }

    fn children(&self) -> Vec<(String, Child)> {
        self.0.children().into_iter().map(|(name, child)| (name.to_owned(), child)).collect()
    }

    fn identity(&self) -> usize {
        Arc::as_ptr(&self.0).cast::<()>() as usize
    }

    fn kind(&self) -> Kind {
        Kind::Optimizer
    }
}
