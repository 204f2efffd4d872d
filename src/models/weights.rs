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
    /// Whether training changes it: it was made for that, and neither the layer that made it nor the one
    /// whose weights were asked for is frozen.
    pub trainable: bool,
}

/// All weights of a layer, each once, the trainable ones first; within both kinds those of the layer
/// itself, then those of its parts in the order in which Keras makes the parts.
pub fn layer_weights(layer: &Arc<dyn Layer>) -> Vec<LayerWeight> {
    let frozen = frozen_variables(layer.as_ref());
    let mut found = Found { frozen, seen: HashSet::new(), weights: Vec::new() };
    found.collect(layer, "");
    let (mut weights, frozen): (Vec<_>, Vec<_>) =
        found.weights.into_iter().partition(|weight| weight.trainable);
    weights.extend(frozen);
    weights
}

struct Found {
    frozen: HashSet<VariableId>,
    seen: HashSet<VariableId>,
    weights: Vec<LayerWeight>,
}

impl Found {
    fn collect(&mut self, layer: &Arc<dyn Layer>, place: &str) {
        let base = layer.base();
        let place =
            if place.is_empty() { base.name.clone() } else { format!("{place}/{}", base.name) };
        for variable in base.saved_variables() {
            if self.seen.insert(variable.id()) {
                let path = format!("{place}/{}", variable.name());
                let trainable = variable.trainable() && !self.frozen.contains(&variable.id());
                self.weights.push(LayerWeight { path, variable, trainable });
            }
        }
        for (_, children) in layer.children() {
            self.nested(&children, &place);
        }
    }

    fn nested(&mut self, children: &Nested<Arc<dyn Layer>>, place: &str) {
        match children {
            Nested::None => {}
            Nested::Leaf(layer) => self.collect(layer, place),
            Nested::List(items) => items.iter().for_each(|n| self.nested(n, place)),
            Nested::Dict(items) => items.iter().for_each(|(_, n)| self.nested(n, place)),
        }
    }
}

/// The variables that training leaves alone because a layer is frozen: all where this one is. A layer's
/// flag is about the variables that it made, its parts have their own.
pub fn frozen_variables(root: &dyn Layer) -> HashSet<VariableId> {
    let mut frozen = HashSet::new();
    visit(root, &mut |layer| {
        let variables = layer.base().variables.iter();
        match (root.base().trainable, layer.base().trainable) {
            (false, _) => frozen.extend(variables.map(Variable::id)),
            (true, false) => frozen.extend(variables.filter(|v| makes(layer, v)).map(Variable::id)),
            (true, true) => {}
        }
    });
    frozen
}

/// Whether a variable of a layer is its own, and not one that it took from a part, as spectral
/// normalization takes the kernel.
pub fn makes(layer: &dyn Layer, variable: &Variable) -> bool {
    let holds =
        |part: &Arc<dyn Layer>| part.base().variables.iter().any(|v| v.id() == variable.id());
    !layer.children().iter().any(|(_, parts)| parts.flatten().into_iter().any(holds))
}

/// Calls a function with a layer and all parts of it.
pub fn visit(layer: &dyn Layer, f: &mut dyn FnMut(&dyn Layer)) {
    f(layer);
    for (_, children) in layer.children() {
        children.flatten().into_iter().for_each(|child| visit(child.as_ref(), f));
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
