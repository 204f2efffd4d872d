//! A layer at the root of a file, where a model stands in most.

use std::sync::Arc;

use crate::base::{Nested, Result};
use crate::layers::{Arg, CallArgs, Layer, SymbolicSpec, output_specs};

/// A layer and its declared inputs, which it takes as a mapping.
pub struct Single {
    pub layer: Arc<dyn Layer>,
    pub inputs: Vec<(String, SymbolicSpec)>,
}

impl Single {
    /// What the layer gives for its inputs.
    ///
    /// # Errors
    /// As its call.
    pub fn outputs(&self) -> Result<Nested<SymbolicSpec>> {
        let leaf =
            |(name, spec): &(String, SymbolicSpec)| (name.clone(), Arg::Tensor(spec.clone()));
        let inputs = Arg::Dict(self.inputs.iter().map(leaf).collect());
        output_specs(
            self.layer.as_ref(),
            &CallArgs { positional: vec![inputs], keyword: Vec::new() },
        )
    }
}
