//! The order in which Keras lists the weights of a layer: `trainable_weights`, then
//! `non_trainable_weights`. Files in the older format and optimizers go by it.

use std::collections::HashSet;
use std::sync::Arc;

use crate::base::Nested;
use crate::layers::Layer;
use crate::tensor::{Variable, VariableId};

/// A weight of a layer or of a layer within it.
pub struct LayerWeight {
    /// Names of the layers on the way and of the variable: `encoder/dense_1/kernel`.
    pub path: String,
    pub variable: Variable,
    /// Whether training changes it: it was made for that, and no layer around it is frozen.
    pub trainable: bool,
}

/// All weights of a layer, each once, the trainable ones first; within both kinds those of the layer
/// itself, then those of its parts in the order in which Keras makes the parts.
pub fn layer_weights(layer: &Arc<dyn Layer>) -> Vec<LayerWeight> {
    let mut found = Found { seen: HashSet::new(), weights: Vec::new() };
    found.collect(layer, "", false);
    let (mut weights, frozen): (Vec<_>, Vec<_>) =
        found.weights.into_iter().partition(|weight| weight.trainable);
    weights.extend(frozen);
    weights
}

struct Found {
    seen: HashSet<VariableId>,
    weights: Vec<LayerWeight>,
}

impl Found {
    fn collect(&mut self, layer: &Arc<dyn Layer>, place: &str, frozen: bool) {
        let base = layer.base();
        let place =
            if place.is_empty() { base.name.clone() } else { format!("{place}/{}", base.name) };
        let frozen = frozen || !base.trainable;
        for variable in base.saved_variables() {
            if self.seen.insert(variable.id()) {
                let path = format!("{place}/{}", variable.name());
                let trainable = variable.trainable() && !frozen;
                self.weights.push(LayerWeight { path, variable, trainable });
            }
        }
        for (_, children) in layer.children() {
            self.nested(&children, &place, frozen);
        }
    }

    fn nested(&mut self, children: &Nested<Arc<dyn Layer>>, place: &str, frozen: bool) {
        match children {
            Nested::None => {}
            Nested::Leaf(layer) => self.collect(layer, place, frozen),
            Nested::List(items) => items.iter().for_each(|n| self.nested(n, place, frozen)),
            Nested::Dict(items) => items.iter().for_each(|(_, n)| self.nested(n, place, frozen)),
        }
    }
}

/// What a layer and its parts remember that no file holds (see [`Layer::memory`]), each variable once,
/// in an order that depends on the model only.
pub fn memory(layer: &Arc<dyn Layer>) -> Vec<Variable> {
    let mut layers: Vec<Arc<dyn Layer>> = vec![layer.clone()];
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    while let Some(layer) = layers.pop() {
        found.extend(layer.memory().into_iter().filter(|variable| seen.insert(variable.id())));
        let children = layer.children();
        layers.extend(children.iter().flat_map(|(_, nested)| nested.flatten()).cloned());
    }
    found
}
