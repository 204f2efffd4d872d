//! What the walk needs to know of an object that has state.

use std::sync::Arc;

use crate::base::Result;
use crate::tensor::Variable;

/// An object whose state goes into a model file: a layer, a model, an optimizer, a metric.
pub trait Saveable: Send + Sync {
    /// The name of its class, such as `Conv2D`; item paths are made from it.
    fn class_name(&self) -> &str;

    /// Its own name, for messages and for the file's attribute; paths never depend on it.
    fn name(&self) -> Option<String>;

    /// The variables it stores itself, with the keys of their datasets: `"0"`, `"1"`... for the
    /// trainable ones in the order of their creation, then the others, unless the class says
    /// otherwise.
    fn own_variables(&self) -> Vec<(String, Variable)>;

    /// What it keeps in files beside the weights.
    fn assets(&self) -> Option<Arc<dyn Assets>> {
        None
    }

    /// Its parts, by the names of Keras's Python attributes, in any order.
    fn children(&self) -> Vec<(String, Child)>;

    /// A number that no other object has while this one lives, such as its address.
    fn identity(&self) -> usize;

    /// What it is.
    fn kind(&self) -> Kind;
}

/// What an object keeps in files below `assets/`, in a folder of its path, such as a vocabulary.
pub trait Assets: Send + Sync {
    /// Takes the object's files; `read` gives the bytes of the file of a name.
    ///
    /// # Errors
    /// If a file is missing or cannot be used.
    fn load(&self, read: &dyn Fn(&str) -> Result<Vec<u8>>) -> Result<()>;
}

/// What an attribute holds.
#[derive(Clone)]
pub enum Child {
    /// One object.
    One(Arc<dyn Saveable>),
    /// A list, a tuple, or the values of a mapping in insertion order.
    List(Vec<Child>),
}

/// The kinds of object that Keras treats differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A layer, and a model that was subclassed.
    Layer,
    /// A functional model.
    Functional,
    /// A sequential model.
    Sequential,
    /// An optimizer; a file with other variables than it has is no error.
    Optimizer,
    /// Has parts, but stores nothing itself.
    Metric,
    /// Has parts, but stores nothing itself.
    Loss,
    /// Has parts, but stores nothing itself.
    Operation,
}

impl Kind {
    /// Whether the attribute `layers` comes before all others.
    pub(crate) fn layers_first(self) -> bool {
        matches!(self, Kind::Functional | Kind::Sequential)
    }

    /// Whether it is a model of layers.
    pub fn is_model(self) -> bool {
        self.layers_first()
    }

    /// Whether objects of this kind store variables, and thus have a group, if an empty one.
    pub(crate) fn stores(self) -> bool {
        !matches!(self, Kind::Metric | Kind::Loss | Kind::Operation)
    }
}
