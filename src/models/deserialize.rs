//! From a record to an object: the one gate between names in a file and code.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Map;

use crate::activations::Activation;
use crate::base::error::quote;
use crate::base::{DType, Error, Result, ResultExt, SymbolicShape};
use crate::layers::config::{Config, Json, LayerReader, NewInitializer};
use crate::layers::{Arg, CallArgs, FeatureSpace, Layer, SymbolicSpec, place, registry};
use crate::models::custom::CustomObjects;
use crate::models::distiller::Distiller;
use crate::models::form::Form;
use crate::models::functional::Functional;
use crate::models::sequential::Sequential;
use crate::models::shared::Shared;
use crate::models::single::Single;
use crate::operations;

/// Models within models, at most; wrappers count too.
const DEPTH: usize = 32;

/// What reading a config needs.
pub struct Reader<'a> {
    pub custom: &'a CustomObjects,
    depth: usize,
    /// Where the names of layers go that are computed in float32 instead of float64; nowhere if such
    /// layers are refused.
    narrowed: Option<&'a RefCell<Vec<String>>>,
    /// Layers that stand in several models.
    shared: Shared,
}

/// A model that stands at the root of a file or in another one.
pub enum Root {
    Functional(Functional),
    Sequential(Sequential),
}

/// The fields of a record that all objects have.
pub struct Record<'a> {
    pub class_name: &'a str,
    pub module: &'a str,
    pub registered_name: Option<&'a str>,
    pub config: &'a Map<String, Json>,
    /// Whether the record holds shapes with which Keras builds the object right away.
    pub says_how_to_build: bool,
}

/// The names of the layers of one model.
#[derive(Default)]
pub struct Names<'a>(HashSet<&'a str>);

impl<'a> Names<'a> {
    /// Refuses a second layer of one name. Older files hold operations without names.
    pub fn claim(&mut self, record: &Record<'a>) -> Result<()> {
        match record.config.get("name").and_then(Json::as_str) {
            Some(name) if !self.0.insert(name) => Err(Error::Json {
                member: "config.json".into(),
                what: format!("two layers are called '{}'", quote(name)),
            }),
            _ => Ok(()),
        }
    }
}

impl<'a> Reader<'a> {
    pub fn new(custom: &'a CustomObjects) -> Reader<'a> {
        Reader { custom, depth: 0, narrowed: None, shared: Shared::default() }
    }

    /// The same, but float64 is narrowed to float32: where, is told in the list.
    pub fn narrowing(self, narrowed: &'a RefCell<Vec<String>>) -> Reader<'a> {
        Reader { narrowed: Some(narrowed), ..self }
    }

    /// Refuses, or tells, that a layer or operation is one of float64, in which no device computes.
    pub fn float64(&self, name: &str) -> Result<()> {
        let narrowed = self.narrowed.ok_or_else(|| {
            Error::Unsupported(format!(
                "'{}' computes in float64, which devices do not have: save the model with another \
                 dtype policy, or let it be computed in float32 with LoadOptions::narrow_float64 \
                 (--narrow-float64)",
                quote(name)
            ))
        })?;
        narrowed.borrow_mut().push(quote(name));
        Ok(())
    }

    fn deeper(&self, what: &str) -> Result<Reader<'a>> {
        if self.depth == DEPTH {
            return Err(Error::Limit {
                what: format!("nesting of {what}"),
                need: "more levels".into(),
                limit: DEPTH.to_string(),
                owner: "this loader".into(),
            });
        }
        Ok(Reader { depth: self.depth + 1, shared: self.shared.clone(), ..*self })
    }

    /// The model of a root record.
    pub fn model(&self, json: &Json) -> Result<Form> {
        let record = Record::parse(json)?;
        refuse_code(record.class_name)?;
        record.check_registered_name()?;
        if let Some(space) = self.feature_space(&record)? {
            return Ok(Form::Single(Arc::new(space)));
        }
        if let Some(distiller) = self.distiller(&record)? {
            return Ok(Form::Distiller(Arc::new(distiller)));
        }
        self.model_of(&record)?.map(Form::from).ok_or_else(|| record.no_model())
    }

    /// `keras.utils.FeatureSpace`, the one layer that Keras saves in a file of its own.
    fn feature_space(&self, record: &Record<'_>) -> Result<Option<Single>> {
        let modules = ["keras.utils", "keras.src.layers.preprocessing.feature_space"];
        if record.class_name != "FeatureSpace" || !modules.contains(&record.module) {
            return Ok(None);
        }
        let inner = Inner(self);
        let config = Config::new("FeatureSpace".into(), record.config.clone(), Json::Null);
        let config = config.with_layers(&inner);
        let space = FeatureSpace::from_config(&config)?;
        config.finish()?;
        Ok(Some(Single { inputs: space.inputs(), layer: Arc::new(space) }))
    }

    /// `keras.distillation.Distiller`, which Keras finds only at the root of a file.
    fn distiller(&self, record: &Record<'_>) -> Result<Option<Distiller>> {
        if (record.module, record.class_name) != ("keras.distillation", "Distiller") {
            return Ok(None);
        }
        let inner = self.deeper("models")?;
        let config = Config::new("Distiller".into(), record.config.clone(), Json::Null);
        let distiller = Distiller::from_config(&config, self.custom, |json| inner.model(json))?;
        config.finish()?;
        Ok(Some(distiller))
    }

    fn model_of(&self, record: &Record<'_>) -> Result<Option<Root>> {
        let inner = || self.deeper("models");
        let config = record.config;
        Ok(match (record.module, record.class_name) {
            ("keras" | "keras.models" | "keras.src.models.sequential", "Sequential") => {
                Some(Root::Sequential(Sequential::from_config(config, &inner()?)?))
            }
            ("keras.src.models.functional", "Functional") | ("keras" | "keras.models", "Model")
                if config.contains_key("layers") =>
            {
                Some(Root::Functional(Functional::from_config(config, &inner()?)?))
            }
            _ => None,
        })
    }

    /// The layer, operation or model of a record within a model: the one that another model within the
    /// file has, if they share it.
    pub fn member(&self, json: &Json) -> Result<Arc<dyn Layer>> {
        if let Some(layer) = self.shared.find(json)? {
            return Ok(layer);
        }
        let layer = Arc::from(self.layer(json)?);
        self.shared.keep(json, &layer);
        Ok(layer)
    }

    /// The layer, operation or model of a record.
    pub fn layer(&self, json: &Json) -> Result<Box<dyn Layer>> {
        let record = Record::parse(json)?;
        let name = record.config.get("name").and_then(Json::as_str).unwrap_or("");
        let place = || format!("{} '{}'", quote(record.class_name), quote(name));
        let mut layer = self.resolve(&record, &place()).at(place)?;
        if layer.base().policy.is_float64() {
            self.float64(name)?;
        }
        // Keras builds a layer as it was built before it was saved, whatever it is called with now.
        if let Some(shape) = build_shape(json).filter(|_| !layer.base().built) {
            let spec = SymbolicSpec { shape, dtype: DType::Float32 };
            layer.build(&CallArgs::one(Arg::Tensor(spec))).at(place)?;
            layer.base_mut().built = true;
        }
        Ok(layer)
    }

    fn resolve(&self, record: &Record<'_>, owner: &str) -> Result<Box<dyn Layer>> {
        let inner = Inner(self);
        let name = record.config.get("name").and_then(Json::as_str);
        let config = |defaults| {
            Config::new(owner.into(), record.config.clone(), defaults)
                .with_layers(&inner)
                .at_place(place(record.class_name, name, record.says_how_to_build))
        };
        if let Some(new) = name.and_then(|name| self.custom.replacement(name)) {
            return new(&config(Json::Null));
        }
        refuse_code(record.class_name)?;
        let custom = record.registered_name.unwrap_or(record.class_name);
        if let Some(new) = self.custom.find(custom) {
            return construct(&config(Json::Null), |config| new(config));
        }
        record.check_registered_name()?;
        if let Some(model) = self.model_of(record)? {
            return Ok(match model {
                Root::Functional(model) => Box::new(model),
                Root::Sequential(model) => Box::new(model),
            });
        }
        if is_layer_module(record.module)
            && let Some(def) = registry::find(record.class_name)
        {
            return construct(&config((def.defaults)()), def.new);
        }
        let def = operations::find(record.module, record.class_name);
        let def = def.ok_or_else(|| record.unknown())?;
        construct(&config((def.defaults)()), |config| def.create(config))
    }
}

/// The reader of layers within a layer: one level deeper.
struct Inner<'a>(&'a Reader<'a>);

impl LayerReader for Inner<'_> {
    fn layer(&self, record: &Json) -> Result<Box<dyn Layer>> {
        self.0.deeper("layers")?.layer(record)
    }

    fn activation(&self, registered_name: &str) -> Option<Activation> {
        self.0.custom.find_activation(registered_name)
    }

    fn initializer(&self, registered_name: &str) -> Option<NewInitializer> {
        self.0.custom.find_initializer(registered_name)
    }
}

/// The layer of a config, every key of which must be known to its constructor.
fn construct(
    config: &Config<'_>,
    new: impl FnOnce(&Config<'_>) -> Result<Box<dyn Layer>>,
) -> Result<Box<dyn Layer>> {
    let layer = new(config)?;
    config.finish()?;
    Ok(layer)
}

/// Refuses the classes whose config is Python code or a pickle.
pub fn refuse_code(class_name: &str) -> Result<()> {
    if matches!(class_name, "Lambda" | "__lambda__" | "TorchModuleWrapper") {
        return Err(Error::Unsupported(format!(
            "{class_name} holds Python code, which is never run; put a layer of your own in its \
             place by its name, with CustomObjects::replace_layer"
        )));
    }
    Ok(())
}

/// The one input shape with which a layer of a record was built, if it was built with one.
fn build_shape(record: &Json) -> Option<SymbolicShape> {
    let shape = record.get("build_config")?.get("input_shape")?.as_array()?;
    let extent = |json: &Json| match json {
        Json::Null => Some(None),
        n => n.as_u64().and_then(|n| usize::try_from(n).ok()).map(Some),
    };
    shape.iter().map(extent).collect::<Option<_>>().map(SymbolicShape)
}

/// Whether this is a shape, or a structure of shapes.
fn is_shape(json: &Json) -> bool {
    match json {
        Json::Array(items) => items.iter().all(is_shape),
        Json::Object(items) => items.values().all(is_shape),
        extent => extent.is_null() || extent.is_u64(),
    }
}

fn is_layer_module(module: &str) -> bool {
    module == "keras.layers"
        || module.starts_with("keras.src.layers.")
        || module.starts_with("keras.src.applications.")
        || module == "keras._legacy.layers"
}

impl<'a> Record<'a> {
    /// Reads the fields of a serialized object.
    pub fn parse(json: &'a Json) -> Result<Record<'a>> {
        let bad = |what: &str| Error::Json {
            member: "config.json".into(),
            what: format!("{what} in the record {}", quote(&json.to_string())),
        };
        let class_name = json.get("class_name").and_then(Json::as_str);
        let class_name = class_name.ok_or_else(|| bad("no class_name"))?;
        let text = |key: &str| match json.get(key) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(bad(&format!("{key} that is not a string"))),
        };
        let config = json.get("config").and_then(Json::as_object);
        let build = match json.get("build_config") {
            None | Some(Json::Null) => None,
            Some(Json::Object(build)) if build.get("input_shape").is_none_or(is_shape) => {
                Some(build)
            }
            Some(_) => return Err(bad("a build_config that names no shape")),
        };
        Ok(Record {
            class_name,
            module: text("module")?.unwrap_or(""),
            registered_name: text("registered_name")?,
            config: config.ok_or_else(|| bad("no config mapping"))?,
            says_how_to_build: build.is_some_and(|keys| !keys.is_empty()),
        })
    }

    /// A built-in class may only be registered under its own name.
    fn check_registered_name(&self) -> Result<()> {
        match self.registered_name {
            Some(name) if name != self.class_name => Err(Error::UnknownClass {
                kind: "registered object",
                name: quote(name),
                module: quote(self.module),
                hint: "register it with CustomObjects".into(),
            }),
            _ => Ok(()),
        }
    }

    /// The error of a record at the root of a file that is no model. Keras can save a layer there.
    fn no_model(&self) -> Error {
        if self.module != "keras.layers" || registry::find(self.class_name).is_none() {
            return self.unknown();
        }
        Error::Unsupported(format!(
            "the file holds one layer of class {}, not a model: save keras.Sequential([keras.Input(...), \
             layer]) instead",
            self.class_name
        ))
    }

    fn unknown(&self) -> Error {
        let hint = if registry::find(self.class_name).is_some() {
            "a layer's module is keras.layers"
        } else if self.module.starts_with("keras") {
            "this version does not have it; a replacement can be registered with CustomObjects"
        } else {
            "classes from outside Keras must be registered with CustomObjects; nothing is imported"
        };
        Error::UnknownClass {
            kind: "class",
            name: quote(self.class_name),
            module: if self.module.is_empty() { "none".into() } else { quote(self.module) },
            hint: hint.into(),
        }
    }
}
