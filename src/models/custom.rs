//! Layers of the user's own.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::Result;
use crate::layers::Layer;
use crate::layers::config::Config;

type Constructor = Arc<dyn Fn(&Config) -> Result<Box<dyn Layer>> + Send + Sync>;

/// Constructors by the name under which a file refers to a class: `package>Name` as Keras registers
/// it, or the bare class name.
#[derive(Clone, Default)]
pub struct CustomObjects {
    classes: HashMap<String, Constructor>,
    /// By the names of layers.
    replacements: HashMap<String, Constructor>,
}

impl CustomObjects {
    pub fn new() -> CustomObjects {
        CustomObjects::default()
    }

    /// Adds a layer class. The constructor takes every key of the config it knows; keys that are left
    /// over are refused.
    #[must_use]
    pub fn layer(
        mut self,
        name: &str,
        new: impl Fn(&Config) -> Result<Box<dyn Layer>> + Send + Sync + 'static,
    ) -> CustomObjects {
        self.classes.insert(name.into(), Arc::new(new));
        self
    }

    /// Puts a layer in the place of the layer that a model calls `name`, whatever its class: the way to
    /// load a `Lambda`, whose Python code is never run. The constructor answers for the whole config;
    /// keys that it does not take are passed over.
    #[must_use]
    pub fn replace_layer(
        mut self,
        name: &str,
        new: impl Fn(&Config) -> Result<Box<dyn Layer>> + Send + Sync + 'static,
    ) -> CustomObjects {
        self.replacements.insert(name.into(), Arc::new(new));
        self
    }

    /// What stands for the layer of a name.
    pub(crate) fn replacement(&self, name: &str) -> Option<&Constructor> {
        self.replacements.get(name)
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Constructor> {
        self.classes.get(name)
    }
}
