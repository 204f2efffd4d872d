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
pub struct CustomObjects(HashMap<String, Constructor>);

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
        self.0.insert(name.into(), Arc::new(new));
        self
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Constructor> {
        self.0.get(name)
    }
}
