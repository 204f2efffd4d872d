//! `keras.utils.FeatureSpace`: a table's columns, each preprocessed in its own way, crossed and encoded.
//!
//! Inputs: a mapping of columns (batch, 1) of numbers or text → one tensor of all encoded features
//! (`concat`), or a mapping of them (`dict`); features come in the order of their names, crosses behind
//! them. It stands at the root of a file of its own; in a model there are only the layers in it, and
//! [`TFDConcat`] and [`TFDIdentity`].
//!
//! | part | attribute in weights files |
//! | --- | --- |
//! | a layer for each feature | `preprocessors` |
//! | a `HashedCrossing` for each cross | `crossers` |
//! | a `CategoryEncoding` for each feature that is written one-hot | `one_hot_encoders` |
//! | a [`TFDConcat`], for `concat` | `concat` |

use std::sync::Arc;

use serde_json::{Map, json};

use super::encoding::OutputMode;
use crate::base::error::quote;
use crate::base::{DType, Error, Nested, Result, ResultExt, SymbolicShape};
use crate::builder;
use crate::graph::Value;
use crate::layers::config::{Config, Json};
use crate::layers::layer::layer_base;
use crate::layers::stateless::stateless;
use crate::layers::{Arg, Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec};

builder! {
    /// Joins encoded features along an axis.
    TFDConcat(axis) {}
}

builder! {
    /// Passes a feature on.
    TFDIdentity() {}
}

impl TFDConcat {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let axis = config.int("axis")?;
        stateless("TFDConcat", config, move |cx, args| {
            let features = args.inputs()?;
            let none = || Error::shape("concatenate", "no features", "at least one");
            let axis = features.first().ok_or_else(none)?.shape().axis(axis)?;
            let features: Vec<_> = features.iter().map(|f| f.cast(cx.compute_dtype())).collect();
            Ok(cx.graph().concat(&features, axis))
        })
    }
}

impl TFDIdentity {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        stateless("TFDIdentity", config, |_, args| args.input())
    }
}

/// All columns of a table, encoded.
pub struct FeatureSpace {
    base: LayerBase,
    features: Vec<Feature>,
    crosses: Vec<Cross>,
    /// Joins the encoded features; without it they are a mapping.
    concat: Option<Arc<dyn Layer>>,
}

/// A column.
struct Feature {
    name: String,
    dtype: DType,
    preprocessor: Arc<dyn Layer>,
    encoder: Option<Arc<dyn Layer>>,
}

/// Columns that are hashed together, by their positions.
struct Cross {
    name: String,
    features: Vec<usize>,
    crosser: Arc<dyn Layer>,
    encoder: Option<Arc<dyn Layer>>,
}

impl FeatureSpace {
    pub(crate) fn from_config(config: &Config) -> Result<FeatureSpace> {
        // What the features and crosses were made with; their own records hold it too.
        for key in ["crossing_dim", "hashing_dim", "num_discretization_bins"] {
            config.get(key);
        }
        let joined = config.choice("output_mode", &[("concat", true), ("dict", false)])?;
        let bad = || config.bad("features", "a mapping of names to the records of features");
        let records = config.get("features").as_object().filter(|map| !map.is_empty());
        let features = records.ok_or_else(bad)?.iter().map(|(name, record)| {
            Feature::new(name, record, config, joined)
                .at(|| format!("{}: feature '{}'", config.owner(), quote(name)))
        });
        let features: Vec<Feature> = features.collect::<Result<_>>()?;
        let crosses = match config.get("crosses") {
            Json::Null => Vec::new(),
            Json::Array(records) => records
                .iter()
                .map(|record| Cross::new(record, &features, config))
                .collect::<Result<_>>()?,
            _ => return Err(config.bad("crosses", "a list of records of crosses")),
        };
        let concat = match joined {
            true => Some(Arc::from(TFDConcat::from_config(&inner("concat", json!({"axis": -1})))?)),
            false => None,
        };
        let mut base = LayerBase::without_policy("FeatureSpace", config)?;
        base.autocast = false;
        base.built = true;
        Ok(FeatureSpace { base, features, crosses, concat })
    }

    /// The columns in the order of the config, each (batch, 1).
    pub fn inputs(&self) -> Vec<(String, SymbolicSpec)> {
        let spec = |f: &Feature| SymbolicSpec {
            shape: SymbolicShape(vec![None, Some(1)]),
            dtype: f.dtype,
        };
        self.features.iter().map(|f| (f.name.clone(), spec(f))).collect()
    }

    /// Names and encoded values in the order of the output.
    fn encoded<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Vec<(String, Value<'g>)>> {
        let columns = self.columns(args)?;
        let mut values: Vec<Value<'g>> = Vec::new();
        for (feature, column) in self.features.iter().zip(columns) {
            values.push(call(cx, &feature.preprocessor, Arg::Tensor(column))?);
        }
        let crossed = self.crosses.iter().map(|cross| {
            let parts = cross.features.iter().map(|&i| Arg::Tensor(values[i])).collect();
            let bins = call(cx, &cross.crosser, Arg::List(parts))?;
            Ok((cross.name.clone(), encode(cx, cross.encoder.as_ref(), bins)?))
        });
        let mut crossed: Vec<_> = crossed.collect::<Result<_>>()?;
        let encoded = self.features.iter().zip(&values).map(|(feature, &value)| {
            Ok((feature.name.clone(), encode(cx, feature.encoder.as_ref(), value)?))
        });
        let mut encoded: Vec<_> = encoded.collect::<Result<_>>()?;
        let by_name = |a: &(String, _), b: &(String, _)| a.0.cmp(&b.0);
        encoded.sort_by(by_name);
        crossed.sort_by(by_name);
        encoded.extend(crossed);
        Ok(encoded)
    }

    /// The columns of a call in the order of the features.
    fn columns<'g>(&self, args: &Args<'g>) -> Result<Vec<Value<'g>>> {
        let Some(Arg::Dict(given)) = args.get(0, "data") else {
            return Err(Error::shape("FeatureSpace", "no mapping", "a mapping of columns"));
        };
        let column = |feature: &Feature| {
            let found = given.iter().find(|(name, _)| *name == feature.name);
            match found {
                Some((_, Arg::Tensor(column))) => Ok(*column),
                _ => Err(Error::shape("FeatureSpace", "no such column", quote(&feature.name))),
            }
        };
        self.features.iter().map(column).collect()
    }
}

impl Layer for FeatureSpace {
    layer_base!();

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let encoded = self.encoded(cx, args)?;
        match &self.concat {
            Some(concat) => {
                let values = encoded.into_iter().map(|(_, value)| Arg::Tensor(value)).collect();
                Ok(call(cx, concat, Arg::List(values))?.into())
            }
            None => {
                let leaf = |(name, value)| (name, Nested::Leaf(value));
                Ok(Nested::Dict(encoded.into_iter().map(leaf).collect()))
            }
        }
    }

    fn children(&self) -> Vec<(&'static str, Nested<Arc<dyn Layer>>)> {
        let list = |layers: Vec<Arc<dyn Layer>>| {
            Nested::List(layers.into_iter().map(Nested::Leaf).collect())
        };
        // In the order in which Keras makes the encoders.
        let mut named: Vec<(&str, &Option<Arc<dyn Layer>>)> =
            self.features.iter().map(|f| (f.name.as_str(), &f.encoder)).collect();
        let mut crossed: Vec<_> =
            self.crosses.iter().map(|c| (c.name.as_str(), &c.encoder)).collect();
        named.sort_by_key(|(name, _)| *name);
        crossed.sort_by_key(|(name, _)| *name);
        let encoders = named.into_iter().chain(crossed).filter_map(|(_, e)| e.clone());
        let mut children = vec![
            ("preprocessors", list(self.features.iter().map(|f| f.preprocessor.clone()).collect())),
            ("crossers", list(self.crosses.iter().map(|c| c.crosser.clone()).collect())),
            ("one_hot_encoders", list(encoders.collect())),
        ];
        children.extend(self.concat.iter().map(|c| ("concat", Nested::Leaf(c.clone()))));
        children
    }
}

/// How a feature or a cross is written.
#[derive(Clone, Copy, PartialEq)]
enum Written {
    Int,
    OneHot,
    Float,
}

const WRITTEN: [(&str, Written); 3] =
    [("int", Written::Int), ("one_hot", Written::OneHot), ("float", Written::Float)];

impl Feature {
    fn new(name: &str, record: &Json, outer: &Config, joined: bool) -> Result<Feature> {
        let config = part(record, "Feature", outer)?;
        let dtype = config.str("dtype")?;
        let dtype = DType::from_name(dtype).map_err(|_| config.bad("dtype", "a dtype"))?;
        let written = config.choice("output_mode", &WRITTEN)?;
        let record = config.get("preprocessor");
        let preprocessor: Arc<dyn Layer> = Arc::from(outer.layer_of(record)?);
        config.finish()?;
        let encoder = match written {
            Written::OneHot => one_hot(record, &preprocessor)?,
            _ => None,
        };
        if joined && written == Written::Int {
            return Err(Error::Unsupported(
                "joining integers that are not encoded, as Keras refuses it too".into(),
            ));
        }
        Ok(Feature { name: name.into(), dtype, preprocessor, encoder })
    }
}

impl Cross {
    fn new(record: &Json, features: &[Feature], outer: &Config) -> Result<Cross> {
        let config = part(record, "Cross", outer)?;
        let bad = || config.bad("feature_names", "a list of names of features");
        let names = config.get("feature_names").as_array().ok_or_else(bad)?;
        let names: Vec<&str> =
            names.iter().map(Json::as_str).collect::<Option<_>>().ok_or_else(bad)?;
        let position = |name: &&str| features.iter().position(|f| f.name == *name);
        let crossed: Option<Vec<usize>> = names.iter().map(position).collect();
        let bins = config.size("crossing_dim")?;
        let written = config.choice("output_mode", &WRITTEN[..2])?;
        config.finish()?;
        let crosser =
            super::HashedCrossing::from_config(&inner("cross", json!({"num_bins": bins})))?;
        let crosser: Arc<dyn Layer> = Arc::from(crosser);
        let encoder = match written {
            Written::OneHot => Some(encoder(Size::Known(bins))?),
            _ => None,
        };
        let features = crossed.ok_or_else(bad)?;
        Ok(Cross { name: names.join("_X_"), features, crosser, encoder })
    }
}

/// The config of a record that must be of a class of this module.
fn part(record: &Json, class_name: &str, outer: &Config) -> Result<Config<'static>> {
    let is_of_class = record.get("class_name").and_then(Json::as_str) == Some(class_name);
    let config = record.get("config").and_then(Json::as_object).filter(|_| is_of_class);
    let bad = || outer.bad("features", &format!("records of the class {class_name}"));
    let owner = format!("{}: {class_name}", outer.owner());
    Ok(Config::new(owner, config.ok_or_else(bad)?.clone(), Json::Null))
}

/// The config of a layer that the record of the space does not hold.
fn inner(name: &str, settings: Json) -> Config<'static> {
    let mut given = Map::new();
    given.insert("name".into(), name.into());
    let more = json!({"output_mode": "int", "sparse": false, "dtype": null, "trainable": true});
    for settings in [more, settings] {
        given.extend(settings.as_object().cloned().unwrap_or_default());
    }
    Config::new(name.into(), given, Json::Null)
}

/// How many categories there are.
enum Size {
    Known(usize),
    /// As many as the layer has words, which a file may bring later.
    Words(Arc<dyn Layer>),
}

/// What writes the integers of a preprocessor as vectors; nothing where Keras knows no number of
/// them.
fn one_hot(record: &Json, preprocessor: &Arc<dyn Layer>) -> Result<Option<Arc<dyn Layer>>> {
    let key = match preprocessor.base().class_name {
        "IntegerLookup" | "StringLookup" => {
            return encoder(Size::Words(preprocessor.clone())).map(Some);
        }
        "CategoryEncoding" => "num_tokens",
        "Discretization" | "HashedCrossing" | "Hashing" => "num_bins",
        other => {
            return Err(Error::Unsupported(format!(
                "output_mode \"one_hot\" behind {other}, whose number of categories is not known, \
                 as Keras refuses it too"
            )));
        }
    };
    let count = record["config"][key].as_u64().and_then(|n| usize::try_from(n).ok());
    count.map(|count| encoder(Size::Known(count))).transpose()
}

fn encoder(size: Size) -> Result<Arc<dyn Layer>> {
    let config = inner("encoding", json!({}));
    let layer = stateless("CategoryEncoding", &config, move |cx, args| {
        let depth = match &size {
            Size::Known(depth) => *depth,
            Size::Words(lookup) => lookup.vocabulary_size().unwrap_or(cx.unknown()),
        };
        let categories = args.input()?.cast(DType::Int32);
        Ok(OutputMode::MultiHot.encode(categories, depth, cx.compute_dtype(), None))
    });
    Ok(Arc::from(layer?))
}

fn encode<'g>(
    cx: &Context<'g>,
    encoder: Option<&Arc<dyn Layer>>,
    value: Value<'g>,
) -> Result<Value<'g>> {
    encoder.map_or(Ok(value), |encoder| call(cx, encoder, Arg::Tensor(value)))
}

/// The one value that a layer gives.
fn call<'g>(cx: &Context<'g>, layer: &Arc<dyn Layer>, arg: Arg<Value<'g>>) -> Result<Value<'g>> {
    match cx.call(layer.as_ref(), &CallArgs { positional: vec![arg], keyword: Vec::new() })? {
        Nested::Leaf(value) => Ok(value),
        other => {
            let found = format!("{} tensors", other.flatten().len());
            Err(Error::shape(&layer.base().name, found, "one tensor"))
        }
    }
}
