//! Objects of the user's own: what Keras's `register_keras_serializable` is in Python.
//!
//! A file names an object by its registered name, `package>Name`, or by the bare name of its class. The
//! same name here says which Rust code stands for it; nothing of a file is ever run.

mod objectives;
mod operation;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use crate::activations::Activation;
use crate::base::Result;
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::config::{Config, NewInitializer};
use crate::layers::{Args, Layer, Outputs};
use crate::losses::Function;
use crate::metrics::Metric;

use operation::CustomOperation;

type NewLayer = Arc<dyn Fn(&Config) -> Result<Box<dyn Layer>> + Send + Sync>;
type NewFunction = Arc<dyn Fn(&Config) -> Result<Arc<dyn Function>> + Send + Sync>;
type NewMetric = Arc<dyn Fn(&Config) -> Result<Box<dyn Metric>> + Send + Sync>;

/// The mathematics of an operation of the user's own.
pub type OperationCall = Box<dyn for<'g> Fn(&Args<'g>) -> Result<Outputs<'g>> + Send + Sync>;

/// Constructors by the name under which a file refers to a class or function: `package>Name` as Keras
/// registers it, or the bare name.
///
/// Constructors take every key of the config that they know; keys that are left over are refused.
#[derive(Clone, Default)]
pub struct CustomObjects {
    layers: HashMap<String, NewLayer>,
    /// By the names of layers.
    replacements: HashMap<String, NewLayer>,
    activations: HashMap<String, Activation>,
    initializers: HashMap<String, NewInitializer>,
    losses: HashMap<String, NewFunction>,
    metrics: HashMap<String, NewMetric>,
}

impl fmt::Debug for CustomObjects {
    /// The names, by what they stand for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn names<T>(map: &HashMap<String, T>) -> BTreeSet<&String> {
            map.keys().collect()
        }
        f.debug_struct("CustomObjects")
            .field("layers", &names(&self.layers))
            .field("replacements", &names(&self.replacements))
            .field("activations", &names(&self.activations))
            .field("initializers", &names(&self.initializers))
            .field("losses", &names(&self.losses))
            .field("metrics", &names(&self.metrics))
            .finish()
    }
}

impl CustomObjects {
    /// A table without classes and functions of the user's own.
    pub fn new() -> CustomObjects {
        CustomObjects::default()
    }

    /// Adds a layer class, or a cell of recurrent layers, which is a layer with [`Layer::cell`].
    #[must_use]
    pub fn layer(
        mut self,
        name: &str,
        new: impl Fn(&Config) -> Result<Box<dyn Layer>> + Send + Sync + 'static,
    ) -> CustomObjects {
        self.layers.insert(name.into(), Arc::new(new));
        self
    }

    /// Adds an operation class: a subclass of `keras.Operation`, which has no weights.
    #[must_use]
    pub fn operation(
        self,
        name: &str,
        new: impl Fn(&Config) -> Result<OperationCall> + Send + Sync + 'static,
    ) -> CustomObjects {
        self.layer(name, move |config| CustomOperation::layer(config, new(config)?))
    }

    /// Adds an activation: a function of one value.
    #[must_use]
    pub fn activation(
        mut self,
        name: &'static str,
        apply: for<'g> fn(Value<'g>) -> Value<'g>,
    ) -> CustomObjects {
        self.activations.insert(name.into(), Activation::custom(name, apply));
        self
    }

    /// Adds an initializer class. Weights of a file need none; those of a model that is made from a
    /// config alone do.
    #[must_use]
    pub fn initializer(
        mut self,
        name: &str,
        new: impl Fn(&Config) -> Result<Initializer> + Send + Sync + 'static,
    ) -> CustomObjects {
        self.initializers.insert(name.into(), Arc::new(new));
        self
    }

    /// Adds a function of labels and predictions, or a subclass of `keras.losses.Loss` that gives one
    /// value per sample. A function is also found where a model's metrics name it.
    #[must_use]
    pub fn loss(
        mut self,
        name: &str,
        new: impl Fn(&Config) -> Result<Arc<dyn Function>> + Send + Sync + 'static,
    ) -> CustomObjects {
        self.losses.insert(name.into(), Arc::new(new));
        self
    }

    /// Adds a subclass of `keras.metrics.Metric`.
    #[must_use]
    pub fn metric(
        mut self,
        name: &str,
        new: impl Fn(&Config) -> Result<Box<dyn Metric>> + Send + Sync + 'static,
    ) -> CustomObjects {
        self.metrics.insert(name.into(), Arc::new(new));
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
    pub(crate) fn replacement(&self, name: &str) -> Option<&NewLayer> {
        self.replacements.get(name)
    }

    pub(crate) fn find(&self, name: &str) -> Option<&NewLayer> {
        self.layers.get(name)
    }

    pub(crate) fn find_activation(&self, name: &str) -> Option<Activation> {
        self.activations.get(name).copied()
    }

    pub(crate) fn find_initializer(&self, name: &str) -> Option<NewInitializer> {
        self.initializers.get(name).cloned()
    }
}
