//! What each layer of a model gives, to find where two computations part.

use crate::base::{Result, Spec};
use crate::graph::{FusionClass, NodeId, Trace};
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
    pub fn activations(&self, inputs: &[Tensor], device: &Device) -> Result<Vec<(String, Tensor)>> {
        let inputs = self.conform(inputs)?;
        let specs: Vec<Spec> = inputs.iter().map(|t| t.spec().clone()).collect();
        let (trace, _) = self.trace(&specs)?;
        let (names, ids): (Vec<String>, Vec<NodeId>) = ends_of_layers(&trace).into_iter().unzip();
        let program = Program::new(trace, &ids);
        let compiled = Compiled::new(program, device, &Options::default(), &mut |_, _| {})?;
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
