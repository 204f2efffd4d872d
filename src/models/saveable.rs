//! Layers as the saving walk sees them.

use std::sync::Arc;

use crate::base::Nested;
use crate::layers::Layer;
use crate::optimizers::{SavedOptimizer, SharedOptimizer};
use crate::saving::{Assets, Child, Kind, Saveable};
use crate::tensor::Variable;

/// A layer with its state.
pub struct SaveableLayer(pub Arc<dyn Layer>);

impl Saveable for SaveableLayer {
    fn class_name(&self) -> &str {
        self.0.base().class_name
    }

    fn name(&self) -> Option<String> {
        Some(self.0.base().name.clone())
    }

    fn own_variables(&self) -> Vec<(String, Variable)> {
        self.0.own_variables()
    }

    fn assets(&self) -> Option<Arc<dyn Assets>> {
        self.0.assets()
    }

    fn children(&self) -> Vec<(String, Child)> {
        let children = self.0.children().into_iter();
        children.filter_map(|(name, nested)| Some((name.to_owned(), child(&nested)?))).collect()
    }

    fn identity(&self) -> usize {
        Arc::as_ptr(&self.0).cast::<()>() as usize
    }

    fn kind(&self) -> Kind {
        self.0.kind()
    }
}

/// A model's layers with the optimizer of its training.
pub struct SaveableModel {
    pub root: SaveableLayer,
    pub optimizer: Option<SharedOptimizer>,
}

impl Saveable for SaveableModel {
    fn class_name(&self) -> &str {
        self.root.class_name()
    }

    fn name(&self) -> Option<String> {
        self.root.name()
    }

    fn own_variables(&self) -> Vec<(String, Variable)> {
        self.root.own_variables()
    }

    fn assets(&self) -> Option<Arc<dyn Assets>> {
        self.root.assets()
    }

    fn children(&self) -> Vec<(String, Child)> {
        let saved = |optimizer: &SharedOptimizer| {
            ("optimizer".to_owned(), Child::One(Arc::new(SavedOptimizer(optimizer.clone()))))
        };
        self.root.children().into_iter().chain(self.optimizer.iter().map(saved)).collect()
    }

    fn identity(&self) -> usize {
        self.root.identity()
    }

    fn kind(&self) -> Kind {
        self.root.kind()
    }
}

fn child(nested: &Nested<Arc<dyn Layer>>) -> Option<Child> {
    Some(match nested {
        Nested::None => return None,
        Nested::Leaf(layer) => Child::One(Arc::new(SaveableLayer(layer.clone()))),
        Nested::List(items) => Child::List(items.iter().filter_map(child).collect()),
        Nested::Dict(items) => Child::List(items.iter().filter_map(|(_, n)| child(n)).collect()),
    })
}
