//! Masks: which steps of a value count.
//!
//! A mask rides along with a value, as Keras's `_keras_mask` does with a tensor: no operation looks at
//! it, and what operations give has none. Layers take masks off and put them on.

use crate::graph::Value;

impl<'g> Value<'g> {
    /// The mask that rides along: booleans, true for steps that count, most often (batch, steps).
    pub fn mask(self) -> Option<Value<'g>> {
        let id = self.graph().inner.borrow().masks.get(&self.id()).copied();
        id.map(|id| self.graph().value(id))
    }

    /// Lets a mask ride along, or none any more.
    pub fn set_mask(self, mask: Option<Value<'g>>) {
        let masks = &mut self.graph().inner.borrow_mut().masks;
        match mask {
            Some(mask) => masks.insert(self.id(), mask.id()),
            None => masks.remove(&self.id()),
        };
    }
}
