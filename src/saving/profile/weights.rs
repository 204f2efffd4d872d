//! What older versions would read otherwise in a weights file.

use super::version::KerasVersion;
use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::saving::json::Json;
use crate::saving::store::GroupPlan;

/// Before this version what is nested two containers deep was not saved.
const CONTAINERS: u32 = 15;
/// Before this version weights were in one file.
const SHARDS: u32 = 10;
/// Before this version the variables of an object were looked for in one shard.
const SPLIT_OBJECTS: u32 = 12;
/// Before this version some optimizers had their variables in another order.
const OPTIMIZER_ORDER: u32 = 10;
/// Iteration and learning rate: an optimizer that never trained has no more.
const HEAD: usize = 2;

/// Refuses weights that Keras of `version` would not find, or would take for others.
///
/// # Errors
/// [`Error::Invalid`] that names the first of them.
pub fn check_groups(groups: &[GroupPlan], config: &Json, version: KerasVersion) -> Result<()> {
    let refuse = |what: String| {
        Err(Error::Invalid(format!("Keras {version} cannot load these weights: {what}")))
    };
    let is_container = |part: &str| {
        part == "container"
            || part.strip_prefix("container_").is_some_and(|n| n.parse::<u32>().is_ok())
    };
    for group in groups.iter().filter(|group| !group.datasets.is_empty()) {
        if version.minor() < CONTAINERS && group.path.split('/').any(is_container) {
            return refuse(format!(
                "'{}' is in a list within a list, which is saved since Keras 3.{CONTAINERS}",
                quote(&group.path)
            ));
        }
        let is_state = group.path.starts_with("optimizer/") && group.datasets.len() > HEAD;
        if version.minor() < OPTIMIZER_ORDER && is_state && is_reordered(config) {
            return refuse(format!(
                "the optimizer's variables have another order since Keras 3.{OPTIMIZER_ORDER}; \
                 load the model without compiling it to save it without them"
            ));
        }
    }
    Ok(())
}

/// Refuses weights in shards where `version` reads none.
///
/// # Errors
/// [`Error::Invalid`].
pub fn check_shards(version: KerasVersion) -> Result<()> {
    if version.minor() >= SHARDS {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "Keras {version} cannot load weights in shards, which came with Keras 3.{SHARDS}; save one file"
    )))
}

/// Whether `version` finds only those variables of an object that are in one of its shards.
pub fn finds_one_shard(version: KerasVersion) -> bool {
    version.minor() < SPLIT_OBJECTS
}

/// Whether the optimizer of a model's config, or one within it, changed the order of its variables.
fn is_reordered(config: &Json) -> bool {
    fn any(record: &Json) -> bool {
        let config = &record["config"];
        let averages =
            config["use_ema"] == true && !config["gradient_accumulation_steps"].is_null();
        let is_nadam = record["class_name"] == "Nadam";
        is_nadam || averages || config.get("inner_optimizer").is_some_and(any)
    }
    any(&config["compile_config"]["optimizer"])
}
