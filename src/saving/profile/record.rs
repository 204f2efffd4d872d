//! Rewriting the records of a config.

use serde_json::Map;

use super::version::KerasVersion;
use super::{names, quirks, table};
use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::saving::json::{Json, float, to_python};

/// Before this version one input or output had to be in a list.
const BARE_LEAVES: u32 = 4;
/// Before this version an uncompiled model had no compile settings at all.
const EMPTY_SETTINGS: u32 = 10;
/// Before this version `...` could not be an argument.
const ELLIPSIS: u32 = 3;
/// Before this version Keras could not load its own slices.
const SLICES: u32 = 3;
/// Before this version 4-bit weights were packed along another axis.
const INT4: u32 = 14;

/// Writes configs for one version.
pub(super) struct Writer {
    pub(super) version: KerasVersion,
}

impl Writer {
    /// A value anywhere in a config; `place` says where.
    pub(super) fn value(&self, place: &str, value: &Json) -> Result<Json> {
        match value {
            Json::Array(items) => items.iter().map(|item| self.value(place, item)).collect(),
            Json::Object(fields) => match (fields.get("class_name"), fields.get("config")) {
                (Some(Json::String(class)), Some(config)) => {
                    self.record(place, fields, class, config)
                }
                _ => Ok(Json::Object(self.fields(place, fields)?)),
            },
            other => Ok(other.clone()),
        }
    }

    fn fields(&self, place: &str, fields: &Map<String, Json>) -> Result<Map<String, Json>> {
        let mut out = Map::new();
        for (key, value) in fields {
            self.check_name(place, key, value)?;
            out.insert(key.clone(), self.value(place, value)?);
        }
        Ok(out)
    }

    fn record(
        &self,
        place: &str,
        fields: &Map<String, Json>,
        class: &str,
        config: &Json,
    ) -> Result<Json> {
        if class.starts_with("__") {
            self.check_marker(place, class)?;
            return Ok(Json::Object(fields.clone()));
        }
        if class == "function" {
            return self.function(place, fields, config);
        }
        let module = fields.get("module").and_then(Json::as_str).unwrap_or_default();
        let full = format!("{module}.{class}");
        let place = below(place, class, config);
        self.check_class(&place, &full, fields)?;
        let Json::Object(config) = config else { return Ok(Json::Object(fields.clone())) };
        self.check_int4(&place, class, config)?;
        if let Some(name) = names::policy_name(class, config, self.version) {
            return Ok(name);
        }
        if let Some(what) = quirks::misread(&full, config, self.version) {
            return Err(self.refuse(&place, what));
        }
        let corrected = quirks::corrected(&full, config, self.version);
        let config = corrected.as_ref().unwrap_or(config);
        let mut out = Map::new();
        for (key, value) in fields {
            match key.as_str() {
                "shared_object_id" => {}
                "build_config" if quirks::is_built_by_call(&full, self.version) => {}
                "compile_config" if is_empty(value) && self.before(EMPTY_SETTINGS) => {}
                "class_name" => {
                    let name = names::class_name(module, class, self.version).unwrap_or(class);
                    out.insert(key.clone(), name.into());
                }
                "config" => {
                    out.insert(key.clone(), Json::Object(self.config(&place, &full, config)?));
                }
                // Shapes, and the graph's own names, are what they always were.
                "module" | "registered_name" | "build_config" | "name" => {
                    out.insert(key.clone(), value.clone());
                }
                _ => {
                    out.insert(key.clone(), self.value(&place, value)?);
                }
            }
        }
        Ok(Json::Object(out))
    }

    /// The config of an object of a class, without what came later.
    fn config(
        &self,
        place: &str,
        class: &str,
        config: &Map<String, Json>,
    ) -> Result<Map<String, Json>> {
        let mut out = Map::new();
        for (key, value) in config {
            if let Some(late) = table::late_key(class, key).filter(|late| self.before(late.since)) {
                // An operation's name is also beside its config.
                let is_name = key == "name" && class.starts_with("keras.src.");
                if !is_name && !late.default.is_some_and(|default| means(key, value, default)) {
                    return Err(self.refuse(
                        place,
                        &format!(
                            "its '{}' came with Keras 3.{} and is {}",
                            quote(key),
                            late.since,
                            quote(&to_python(value))
                        ),
                    ));
                }
                continue;
            }
            let is_leaves = key == "input_layers" || key == "output_layers";
            self.check_name(place, key, value)?;
            let value = match is_leaves && self.before(BARE_LEAVES) {
                true => names::listed(value),
                false => self.value(place, value)?,
            };
            out.insert(key.clone(), value);
        }
        Ok(out)
    }

    fn function(&self, place: &str, fields: &Map<String, Json>, config: &Json) -> Result<Json> {
        let mut out = fields.clone();
        if let Some(name) = config.as_str() {
            for module in ["activations", "losses", "metrics"] {
                self.check_since(place, &format!("keras.{module}.{name}()"), name)?;
            }
            out.insert("config".into(), names::function_name(name, self.version).into());
        }
        Ok(Json::Object(out))
    }

    /// Refuses names that a version does not know, where a key says what they name.
    fn check_name(&self, place: &str, key: &str, value: &Json) -> Result<()> {
        let module = match key {
            "loss" => "losses",
            "metrics" | "weighted_metrics" => "metrics",
            "optimizer" => "optimizers",
            _ if key.ends_with("activation") => "activations",
            _ if key.ends_with("_initializer") => "initializers",
            _ => return Ok(()),
        };
        match value {
            Json::String(name) => {
                self.check_since(place, &format!("keras.{module}.'{name}'"), name)
            }
            Json::Array(items) => {
                items.iter().try_for_each(|item| self.check_name(place, key, item))
            }
            Json::Object(items) if !items.contains_key("class_name") => {
                items.values().try_for_each(|item| self.check_name(place, key, item))
            }
            _ => Ok(()),
        }
    }

    fn check_since(&self, place: &str, full: &str, name: &str) -> Result<()> {
        let since = table::since(full);
        if !self.before(since) {
            return Ok(());
        }
        Err(self.refuse(place, &format!("'{}' came with Keras 3.{since}", quote(name))))
    }

    fn check_class(&self, place: &str, full: &str, fields: &Map<String, Json>) -> Result<()> {
        let since = table::since(full);
        if self.before(since) {
            return Err(self.refuse(place, &format!("its class came with Keras 3.{since}")));
        }
        let slices = full == "keras.src.ops.numpy.GetItem"
            && self.before(SLICES)
            && fields.get("inbound_nodes").is_some_and(|nodes| holds_class(nodes, "__slice__"));
        if slices {
            return Err(self.refuse(place, "that version cannot load slices, not even its own"));
        }
        Ok(())
    }

    fn check_marker(&self, place: &str, class: &str) -> Result<()> {
        if class == "__ellipsis__" && self.before(ELLIPSIS) {
            return Err(self.refuse(place, &format!("'...' came with Keras 3.{ELLIPSIS}")));
        }
        Ok(())
    }

    fn check_int4(&self, place: &str, class: &str, config: &Map<String, Json>) -> Result<()> {
        let mode = config.get("mode").and_then(Json::as_str).unwrap_or_default();
        if class.ends_with("DTypePolicy") && mode.starts_with("int4") && self.before(INT4) {
            return Err(self.refuse(
                place,
                &format!("4-bit weights are packed along another axis since Keras 3.{INT4}"),
            ));
        }
        Ok(())
    }

    fn before(&self, minor: u32) -> bool {
        self.version.minor() < minor
    }

    fn refuse(&self, place: &str, what: &str) -> Error {
        let version = self.version;
        let place = if place.is_empty() { "the model" } else { place };
        Error::Invalid(format!(
            "Keras {version} cannot load this model: {}: {what}; save it for a later version",
            quote(place)
        ))
    }
}

/// The place of an object: the path of names that lead to it, or its class where it has none.
fn below(place: &str, class: &str, config: &Json) -> String {
    let name = config.get("name").and_then(Json::as_str).unwrap_or(class);
    if place.is_empty() { name.into() } else { format!("{place}/{name}") }
}

fn is_empty(value: &Json) -> bool {
    value.as_object().is_some_and(Map::is_empty)
}

/// Whether a value does what the default does. Nothing stands for false, and, for the order of axes, for
/// the one that Keras takes unless it is configured otherwise.
fn means(key: &str, value: &Json, default: &Json) -> bool {
    let unset = [Json::Null, Json::Bool(false)];
    value == default
        || float(value).is_some_and(|number| float(default) == Some(number))
        || unset.contains(value) && unset.contains(default)
        || key == "data_format" && value == "channels_last" && default.is_null()
}

fn holds_class(value: &Json, class: &str) -> bool {
    match value {
        Json::Array(items) => items.iter().any(|item| holds_class(item, class)),
        Json::Object(fields) => {
            fields.get("class_name").is_some_and(|name| name == class)
                || fields.values().any(|item| holds_class(item, class))
        }
        _ => false,
    }
}
