//! Reading a Keras config: every key is taken once with a type, and none is left over.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value as JsonValue};

use crate::activations::Activation;
use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::initializers::Initializer;
use crate::layers::{Layer, LayerBuilder};

/// A JSON value, as configs hold them.
pub type Json = JsonValue;

/// Makes the layer of a record that stands in another layer's config.
pub trait LayerReader {
    /// The layer of a serialized record.
    ///
    /// # Errors
    /// If the record is none, or its class is not known.
    fn layer(&self, record: &Json) -> Result<Box<dyn Layer>>;

    /// The user's activation that is registered under a name.
    fn activation(&self, registered_name: &str) -> Option<Activation>;

    /// The constructor of the user's initializer that is registered under a name.
    fn initializer(&self, registered_name: &str) -> Option<NewInitializer>;
}

/// Makes an initializer from its config.
pub type NewInitializer = Arc<dyn Fn(&Config) -> Result<Initializer> + Send + Sync>;

/// The `config` of one object, with the constructor's defaults behind it.
///
/// Readers name the object and the key in their errors. [`Config::finish`] refuses keys nobody
/// asked for, so that no setting of a file is silently ignored.
pub struct Config<'a> {
    owner: String,
    given: Map<String, Json>,
    defaults: Option<Map<String, Json>>,
    taken: RefCell<HashSet<String>>,
    layers: Option<&'a dyn LayerReader>,
    place: Place,
}

/// Under which path Keras builds a layer, which is what a map of dtype policies asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// The class has nothing to build: a layer of it never gets a path.
    #[default]
    None,
    /// The layer was not built when it was saved; its path depends on who calls it first.
    Open,
    /// The names from the outermost layer that was built by itself, joined by `/`.
    Path(String),
}

impl Place {
    /// The place of a layer that this one makes as a part of it.
    pub(crate) fn part(&self, name: &str) -> Place {
        match self {
            Place::Path(path) => Place::Path(format!("{path}/{name}")),
            other => other.clone(),
        }
    }
}

impl<'a> Config<'a> {
    /// The config of an object that errors call `owner`. The defaults are an object with every
    /// argument of the constructor, or null where those are not known.
    pub fn new(owner: String, given: Map<String, Json>, defaults: Json) -> Config<'a> {
        let defaults = match defaults {
            Json::Object(map) => Some(map),
            _ => None,
        };
        Config {
            owner,
            given,
            defaults,
            taken: RefCell::default(),
            layers: None,
            place: Place::None,
        }
    }

    /// The same config, from which layers within the layer can be made.
    #[must_use]
    pub fn with_layers(self, layers: &'a dyn LayerReader) -> Config<'a> {
        Config { layers: Some(layers), ..self }
    }

    /// The same config, of a layer that Keras builds at this place.
    #[must_use]
    pub(crate) fn at_place(self, place: Place) -> Config<'a> {
        Config { place, ..self }
    }

    /// Where Keras builds the layer.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The user's activation of a name.
    pub(crate) fn custom_activation(&self, registered_name: &str) -> Option<Activation> {
        self.layers?.activation(registered_name)
    }

    /// The constructor of the user's initializer of a name.
    pub(crate) fn custom_initializer(&self, registered_name: &str) -> Option<NewInitializer> {
        self.layers?.initializer(registered_name)
    }

    /// The layer whose record stands under a key, as wrappers have one.
    ///
    /// # Errors
    /// If there is no record, its class is not known, or its config is wrong.
    pub fn layer(&self, key: &str) -> Result<Box<dyn Layer>> {
        match self.get(key) {
            record @ Json::Object(_) => self.layer_of(record),
            _ => Err(self.bad(key, "the record of a layer")),
        }
    }

    /// The layers whose records stand in a list under a key.
    ///
    /// # Errors
    /// If there is no list, or as for [`layer`](Config::layer).
    pub fn layer_list(&self, key: &str) -> Result<Vec<Box<dyn Layer>>> {
        match self.get(key) {
            Json::Array(records) => records.iter().map(|record| self.layer_of(record)).collect(),
            _ => Err(self.bad(key, "a list of records of layers")),
        }
    }

    /// The layer of a record of this config.
    ///
    /// # Errors
    /// If its class is not known, or its config is wrong.
    pub fn layer_of(&self, record: &Json) -> Result<Box<dyn Layer>> {
        let none = || Error::Internal(format!("{}: no reader of inner layers", self.owner));
        self.layers.ok_or_else(none)?.layer(record)
    }

    /// A layer that the constructor makes itself, where Python has `self.dense = layers.Dense(4)`:
    /// `config.make(Dense::new(4))`.
    ///
    /// # Errors
    /// If the layer's settings are wrong.
    pub fn make(&self, layer: impl Into<LayerBuilder>) -> Result<Box<dyn Layer>> {
        self.layer_of(&Json::Object(layer.into().record()))
    }

    /// `keras.Sequential` of layers that the constructor makes itself.
    ///
    /// # Errors
    /// If the settings of a layer are wrong.
    pub fn make_sequential(
        &self,
        layers: impl IntoIterator<Item = LayerBuilder>,
    ) -> Result<Box<dyn Layer>> {
        let layers: Vec<_> = layers.into_iter().map(|layer| layer.record()).collect();
        self.layer_of(&serde_json::json!({
            "module": "keras",
            "class_name": "Sequential",
            "config": {"name": "sequential", "layers": layers},
            "registered_name": null,
        }))
    }

    /// How errors call the object.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Whether the constructor has an argument of this name. A user's class says none of its
    /// arguments beforehand: it may have any.
    pub(crate) fn declares(&self, key: &str) -> bool {
        self.defaults.as_ref().is_none_or(|defaults| defaults.contains_key(key))
    }

    /// The keys and values that were given, without defaults.
    pub fn given(&self) -> &Map<String, Json> {
        &self.given
    }

    /// The value of a key; the constructor's default, or null, where the file has none.
    pub fn get(&self, key: &str) -> &Json {
        const NULL: &Json = &Json::Null;
        self.taken.borrow_mut().insert(key.to_owned());
        self.value(key).unwrap_or(NULL)
    }

    fn value(&self, key: &str) -> Option<&Json> {
        self.given.get(key).or_else(|| self.defaults.as_ref()?.get(key))
    }

    /// An error about a key.
    pub fn bad(&self, key: &str, expected: &str) -> Error {
        let found = self.value(key);
        Error::Config {
            owner: self.owner.clone(),
            key: key.into(),
            found: found.map_or("missing".into(), |v| quote(&v.to_string())),
            expected: expected.into(),
        }
    }

    /// Whether the value is null, or neither the file nor the constructor has one.
    pub fn is_null(&self, key: &str) -> bool {
        self.get(key).is_null()
    }

    /// A boolean; 0 and 1 count as false and true.
    ///
    /// # Errors
    /// If the value is anything else.
    pub fn bool(&self, key: &str) -> Result<bool> {
        match self.get(key) {
            Json::Bool(b) => Ok(*b),
            Json::Number(n) if n.as_u64() == Some(0) => Ok(false),
            Json::Number(n) if n.as_u64() == Some(1) => Ok(true),
            _ => Err(self.bad(key, "true or false")),
        }
    }

    /// A boolean, or `None` for null.
    ///
    /// # Errors
    /// If the value is anything else.
    pub fn optional_bool(&self, key: &str) -> Result<Option<bool>> {
        if self.is_null(key) { Ok(None) } else { self.bool(key).map(Some) }
    }

    /// An integer.
    ///
    /// # Errors
    /// If the value is anything else.
    pub fn int(&self, key: &str) -> Result<i64> {
        as_int(self.get(key)).ok_or_else(|| self.bad(key, "an integer"))
    }

    /// A positive count.
    ///
    /// # Errors
    /// If the value is anything else.
    pub fn size(&self, key: &str) -> Result<usize> {
        as_size(self.get(key)).filter(|&n| n > 0).ok_or_else(|| self.bad(key, POSITIVE))
    }

    /// A positive count, or `None` for null.
    ///
    /// # Errors
    /// If the value is anything else.
    pub fn optional_size(&self, key: &str) -> Result<Option<usize>> {
        if self.is_null(key) { Ok(None) } else { self.size(key).map(Some) }
    }

    /// `rank` positive counts; one number stands for all.
    ///
    /// # Errors
    /// If the value is anything else.
    pub fn sizes(&self, key: &str, rank: usize) -> Result<Vec<usize>> {
        let sizes = match self.get(key) {
            Json::Array(items) => items.iter().map(as_size).collect::<Option<Vec<_>>>(),
            one => as_size(one).map(|n| vec![n; rank]),
        };
        sizes
            .filter(|s| s.len() == rank && !s.contains(&0))
            .ok_or_else(|| self.bad(key, &format!("{rank} positive integers")))
    }

    /// Integers; one number counts as a list of one.
    ///
    /// # Errors
    /// If the value is anything else.
    pub fn ints(&self, key: &str) -> Result<Vec<i64>> {
        let ints = match self.get(key) {
            Json::Array(items) => items.iter().map(as_int).collect::<Option<Vec<_>>>(),
            one => as_int(one).map(|n| vec![n]),
        };
        ints.ok_or_else(|| self.bad(key, "integers"))
    }

    /// A finite or infinite number; NaN too, where Keras writes one.
    ///
    /// # Errors
    /// If the value is anything else.
    pub fn float(&self, key: &str) -> Result<f64> {
        as_float(self.get(key)).ok_or_else(|| self.bad(key, "a number"))
    }

    /// A share of a whole.
    ///
    /// # Errors
    /// If the value is no number from 0 to 1.
    pub fn share(&self, key: &str) -> Result<f64> {
        let share = self.float(key).ok().filter(|share| (0.0..=1.0).contains(share));
        share.ok_or_else(|| self.bad(key, "a number from 0 to 1"))
    }

    /// A number, or `None` for null.
    ///
    /// # Errors
    /// If the value is anything else.
    pub fn optional_float(&self, key: &str) -> Result<Option<f64>> {
        if self.is_null(key) { Ok(None) } else { self.float(key).map(Some) }
    }

    /// A string.
    ///
    /// # Errors
    /// If the value is anything else.
    pub fn str(&self, key: &str) -> Result<&str> {
        self.get(key).as_str().ok_or_else(|| self.bad(key, "a string"))
    }

    /// A string, or `None` for null.
    ///
    /// # Errors
    /// If the value is anything else.
    pub fn optional_str(&self, key: &str) -> Result<Option<&str>> {
        if self.is_null(key) { Ok(None) } else { self.str(key).map(Some) }
    }

    /// One of a few words.
    ///
    /// # Errors
    /// If the value is none of them.
    pub fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Result<T> {
        let word = self.get(key).as_str();
        choices.iter().find(|(name, _)| Some(*name) == word).map(|(_, value)| *value).ok_or_else(
            || {
                let names: Vec<_> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
                self.bad(key, &names.join(" or "))
            },
        )
    }

    /// Refuses keys that nobody has taken, unless they are null: a constructor of this version does
    /// not have them, so what they mean is not known.
    ///
    /// # Errors
    /// If there is such a key.
    pub fn finish(&self) -> Result<()> {
        let taken = self.taken.borrow();
        match self.given.iter().find(|(key, value)| !value.is_null() && !taken.contains(*key)) {
            None => Ok(()),
            Some((key, value)) => Err(Error::Config {
                owner: self.owner.clone(),
                key: quote(key),
                found: quote(&value.to_string()),
                expected: "no such key: this version does not know it and will not ignore it"
                    .into(),
            }),
        }
    }
}

const POSITIVE: &str = "a positive integer";

/// An integer; a whole float counts, as Python code often writes one.
fn as_int(value: &Json) -> Option<i64> {
    value
        .as_i64()
        .or_else(|| value.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 9e15).map(|f| f as i64))
}

fn as_size(value: &Json) -> Option<usize> {
    as_int(value).and_then(|n| usize::try_from(n).ok()).filter(|&n| n <= u32::MAX as usize)
}

fn as_float(value: &Json) -> Option<f64> {
    crate::saving::json::float(value)
}
