//! Losses and metrics of the user's own, where a compiled model names them.

use std::sync::Arc;

use serde_json::{Map, json};

use crate::base::Result;
use crate::base::naming::snake_case;
use crate::layers::config::{Config, Json};
use crate::losses::{FunctionLoss, Loss};
use crate::metrics::{MeanMetric, Metric};
use crate::models::custom::{CustomObjects, NewFunction};

/// The registered name in an identifier of `compile`: text, a function's record or a class's.
fn registered_name(identifier: &Json) -> Option<&str> {
    let text = |key: &str| identifier.get(key).and_then(Json::as_str);
    match identifier {
        Json::String(name) => Some(name),
        _ if text("class_name") == Some("function") => text("config"),
        _ => text("registered_name").or_else(|| text("class_name")),
    }
}

/// The name without its package, as Keras names what the object gives.
fn short(name: &str) -> &str {
    name.rsplit('>').next().unwrap_or(name)
}

/// The config of a class's record; nothing for functions, which have none.
fn config_of<'a>(identifier: &Json, owner: &str, defaults: Json) -> Config<'a> {
    let given = identifier.get("config").and_then(Json::as_object).cloned();
    Config::new(owner.into(), given.unwrap_or_else(Map::new), defaults)
}

fn is_class(identifier: &Json) -> bool {
    identifier.get("config").is_some_and(Json::is_object)
}

impl CustomObjects {
    fn function(&self, identifier: &Json) -> Option<(&str, &NewFunction)> {
        let (name, new) = self.losses.get_key_value(registered_name(identifier)?)?;
        Some((short(name), new))
    }

    /// Whether an identifier names a loss or a metric of the user's.
    pub(crate) fn has_objective(&self, identifier: &Json) -> bool {
        let named = |name| self.losses.contains_key(name) || self.metrics.contains_key(name);
        registered_name(identifier).is_some_and(named)
    }

    /// The user's loss that an identifier names, if it names one.
    pub(crate) fn find_loss(&self, identifier: &Json) -> Result<Option<Arc<dyn Loss>>> {
        let Some((name, new)) = self.function(identifier) else { return Ok(None) };
        let defaults = json!({"name": null, "reduction": "sum_over_batch_size", "dtype": null});
        let config = config_of(identifier, name, defaults);
        let function = new(&config)?;
        let loss = match is_class(identifier) {
            true => FunctionLoss::from_config(&config, &snake_case(name), function)?,
            false => FunctionLoss::new(name, function),
        };
        config.finish()?;
        Ok(Some(Arc::new(loss)))
    }

    /// The user's metric that an identifier names, if it names one: a metric, or the mean of a
    /// function.
    pub(crate) fn find_metric(&self, identifier: &Json) -> Result<Option<Box<dyn Metric>>> {
        let Some(name) = registered_name(identifier) else { return Ok(None) };
        if let Some(new) = self.metrics.get(name) {
            let config = config_of(identifier, short(name), Json::Null);
            let metric = new(&config)?;
            config.finish()?;
            return Ok(Some(metric));
        }
        let Some((name, new)) = self.function(identifier) else { return Ok(None) };
        let config = config_of(identifier, name, Json::Null);
        let metric = MeanMetric::new(name, new(&config)?)?;
        config.finish()?;
        Ok(Some(Box::new(metric)))
    }
}
