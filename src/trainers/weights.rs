//! The weights that training changes, in Keras's order.

use std::collections::HashSet;
use std::sync::Arc;

use crate::base::Nested;
use crate::layers::Layer;
use crate::models::weights::makes;
use crate::optimizers::Weight;
use crate::regularizers::Regularizer;
use crate::tensor::Variable;

/// A weight with the penalty on it.
pub struct Trained {
    pub weight: Weight,
    pub regularizer: Option<Arc<dyn Regularizer>>,
    /// What the weight adapts, for one of the two factors of a low-rank adaptation.
    pub adapts: Option<Variable>,
}

/// The trainable weights of a model: layer after layer, a layer's own before those of its parts. As in
/// Keras a layer's `trainable` is about the weights that it made itself, and its parts have their own;
/// only that of the model is about all of them.
pub fn trained(root: &dyn Layer) -> Vec<Trained> {
    let mut found = Found { seen: HashSet::new(), weights: Vec::new() };
    if root.base().trainable {
        found.children(root, "");
    }
    found.weights
}

struct Found {
    seen: HashSet<crate::tensor::VariableId>,
    weights: Vec<Trained>,
}

impl Found {
    fn layer(&mut self, layer: &Arc<dyn Layer>, path: &str) {
        let base = layer.base();
        // As in a model that Keras has loaded, models within models leave no trace in paths.
        let path = match layer.kind().is_model() {
            true => path.to_owned(),
            false if path.is_empty() => base.name.clone(),
            false => format!("{path}/{}", base.name),
        };
        let trained = if base.trainable { base.trained_variables() } else { Vec::new() };
        for (variable, adapts) in trained {
            if makes(layer.as_ref(), variable) && self.seen.insert(variable.id()) {
                let name = variable.name();
                let weight = Weight {
                    constraint: base.rules.constraint(name).cloned(),
                    ..Weight::new(&format!("{path}/{name}"), variable.clone())
                };
                let regularizer = base.rules.regularizer(name).cloned();
                let adapts = adapts.cloned();
                self.weights.push(Trained { weight, regularizer, adapts });
            }
        }
        self.children(layer.as_ref(), &path);
    }

    fn children(&mut self, layer: &dyn Layer, path: &str) {
        for (_, nested) in layer.children() {
            self.nested(&nested, path);
        }
    }

    fn nested(&mut self, nested: &Nested<Arc<dyn Layer>>, path: &str) {
        nested.flatten().into_iter().for_each(|layer| self.layer(layer, path));
    }
}
