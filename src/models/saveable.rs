//! Layers as the saving walk sees them.

use std::sync::Arc;

use crate::base::Nested;
use crate::layers::Layer;
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

fn child(nested: &Nested<Arc<dyn Layer>>) -> Option<Child> {
    Some(match nested {
        Nested::None => return None,
        Nested::Leaf(layer) => Child::One(Arc::new(SaveableLayer(layer.clone()))),
        Nested::List(items) => Child::List(items.iter().filter_map(child).collect()),
        Nested::Dict(items) => Child::List(items.iter().filter_map(|(_, n)| child(n)).collect()),
    })
}
