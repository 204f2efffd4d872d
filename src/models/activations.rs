//! What each layer of a model gives, to find where two computations part.

use crate::base::Result;
use crate::graph::{FusionClass, NodeId, Trace};
use crate::models::inputs::Inputs;
use crate::models::model::Model;
use crate::program::{Options, Program};
use crate::runtime::{Compiled, Device};
use crate::tensor::Tensor;

impl Model {
    /// What every layer gives, in the order of computation, under the layer's path (`block/conv`).
    ///
    /// A layer that is called several times, or whose work surrounds that of inner layers, is listed
    /// several times; one that passes its input on is not listed. All rows are computed at once and
    /// all results are kept, so this takes far more memory than a prediction, and other regions are
    /// fused than in one.
    ///
    /// # Errors
    /// As [`predict`](Model::predict).
    pub fn activations(
        &self,
        inputs: impl Into<Inputs>,
        device: &Device,
    ) -> Result<Vec<(String, Tensor)>> {
        let inputs = self.conform_given(inputs)?;
        let options = Options::default();
        let traced = self.trace_with(&inputs, device, &options)?;
        let ends = ends_of_layers(&traced.trace).into_iter();
        let (names, ids): (Vec<String>, Vec<NodeId>) = ends.unzip();
        let mut program = Program::new(traced.trace, &ids);
        let kept = program.drop_unused_inputs();
        let inputs: Vec<Tensor> = kept.into_iter().map(|i| traced.feeds[i].clone()).collect();
        let compiled = Compiled::new(program, device, &options, &mut |_, _| {})?;
        Ok(names.into_iter().zip(compiled.run(&inputs)?).collect())
    }
}

/// The last value of every run of operations that belong to one layer.
fn ends_of_layers(trace: &Trace) -> Vec<(String, NodeId)> {
    let computed =
        trace.nodes.iter().enumerate().filter(|(_, node)| {
            !node.scope.is_empty() && node.op.def().fusion() != FusionClass::Leaf
        });
    let mut ends: Vec<(String, NodeId)> = Vec::new();
    for (id, node) in computed {
        match ends.last_mut() {
            Some((scope, end)) if *scope == *node.scope => *end = id,
            _ => ends.push((node.scope.to_string(), id)),
        }
    }
    ends
}
