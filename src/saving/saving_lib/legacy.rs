//! Whole models and weights in the older format, HDF5 that ends in `.h5` or `.hdf5`.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use crate::base::error::quote;
use crate::base::{Error, Result, ResultExt, Source};
use crate::layers::Layer;
use crate::models::weights::{LayerWeight, layer_weights};
use crate::models::{Model, compile_config};
use crate::saving::legacy::{
    LegacyContents, LegacyFile, LegacyLayer, LegacyWeight, legacy_model, legacy_training,
    modern_model, modern_training, write_legacy,
};
use crate::saving::load::{cast, load_into};
use crate::saving::saving_lib::{KERAS_VERSION, LoadOptions, compile, keep};
use crate::saving::{
    Group, GroupPlan, Json, KerasVersion, Replace, SKIPPED, Saved, Store, profile,
};
use crate::tensor::Variable;
use crate::trainers::LossScaling;

/// The path of the optimizer's own variables in a weights file.
const OPTIMIZER: &str = "optimizer/vars";
/// The optimizer that scales losses, which holds another one.
const LOSS_SCALE: &str = "LossScaleOptimizer";

/// The model of an older file. Its config becomes what Keras 3 would write.
pub(super) fn load(file: &LegacyFile, options: &LoadOptions) -> Result<Model> {
    if !options.trainable.is_empty() {
        return Err(Error::Unsupported(
            "changing what trains while a file in the older format is loaded, which lists weights by \
             it: load it, save it as .keras, and load that"
                .into(),
        ));
    }
    let mut config = modern_model(&file.config()?).at(|| "model_config".into())?;
    let training = if options.compile { file.training_config()? } else { None };
    config["compile_config"] = training.as_ref().map_or_else(|| json!({}), modern_training);
    compile_config::check(&config, options.compile, &options.custom_objects)
        .at(|| "training_config".into())?;
    let mut model = Model::read(config, &options.custom_objects, options.narrow_float64)
        .at(|| "model_config".into())?;
    model.predict_bytes = options.limits.predict_bytes;
    let is_current = file.keras_version()?.is_some_and(|version| version.starts_with("3."));
    if let Err(error) = compile(&mut model, LossScaling::ByPolicy) {
        if is_current {
            return Err(error).at(|| "training_config".into());
        }
        log::warn!("the training settings are from before Keras 3, and left out: {error}");
    }
    load_by_position(&model, file, false)?;
    if training.is_some() && is_current {
        keep_optimizer(&mut model, file)?;
    }
    Ok(model)
}

/// Keeps the optimizer's state. Before Keras 3 optimizers had other variables, which today's cannot
/// take over.
fn keep_optimizer(model: &mut Model, file: &LegacyFile) -> Result<()> {
    let state = file.optimizer()?.weights;
    if state.is_empty() {
        return Ok(());
    }
    let optimizer = &model.config["compile_config"]["optimizer"];
    let text = |json: &Json| json.as_str().map(str::to_owned);
    let name = text(&optimizer["config"]["name"]);
    let inner = inner_optimizer(optimizer, &state);
    let mut groups = vec![group(OPTIMIZER, name, &state)];
    if let Some((name, state)) = inner {
        groups.push(group("optimizer/inner_optimizer/vars", name, state));
    }
    let optimizer: Vec<Saved> =
        model.saved().into_iter().filter(|s| s.path.starts_with("optimizer")).collect();
    load_into(&optimizer, &Groups(&groups), false)?;
    keep(model, groups);
    Ok(())
}

/// Groups at hand, as a file of weights.
struct Groups<'a>(&'a [GroupPlan]);

impl Store for Groups<'_> {
    fn group(&self, path: &str) -> Result<Option<Group>> {
        let found = self.0.iter().find(|group| group.path == path);
        Ok(found.map(|g| Group { name: g.name.clone(), datasets: g.datasets.clone() }))
    }

    fn groups(&self) -> Vec<String> {
        self.0.iter().map(|group| group.path.clone()).collect()
    }
}

/// The part of an optimizer's state that belongs to the optimizer inside it, with its name.
fn inner_optimizer<'a>(
    optimizer: &Json,
    state: &'a [LegacyWeight],
) -> Option<(Option<String>, &'a [LegacyWeight])> {
    if optimizer["class_name"] != LOSS_SCALE {
        return None;
    }
    let counts = |(name, _): &LegacyWeight| name.rsplit('/').next() == Some("iteration");
    let start = state.iter().skip(1).position(counts)? + 1;
    let name = optimizer["config"]["inner_optimizer"]["config"]["name"].as_str();
    Some((name.map(str::to_owned), &state[start..]))
}

fn group(path: &str, name: Option<String>, state: &[LegacyWeight]) -> GroupPlan {
    let keyed = state.iter().enumerate().map(|(i, (_, source))| (i.to_string(), source.clone()));
    GroupPlan { path: path.into(), name, datasets: keyed.collect() }
}

/// A layer that has weights, and those.
struct Owner {
    name: String,
    weights: Vec<LayerWeight>,
}

fn owners(model: &Model) -> Vec<Owner> {
    let owner = |layer: &Arc<dyn Layer>| Owner {
        name: layer.base().name.clone(),
        weights: layer_weights(layer),
    };
    model.layers().iter().map(owner).filter(|owner| !owner.weights.is_empty()).collect()
}

/// Values for variables, all found before the first is set.
type Values = Vec<(Variable, Arc<dyn Source>)>;

/// Gives layers their weights in the order in which both list them, as Keras does.
///
/// # Errors
/// [`Error::Weights`] if the numbers of layers or of a layer's weights differ, or shapes do; with
/// `skip_mismatch`, weights of other shapes keep their values.
pub(super) fn load_by_position(
    model: &Model,
    file: &LegacyFile,
    skip_mismatch: bool,
) -> Result<()> {
    let owners = owners(model);
    let mut saved = file.layers()?;
    saved.retain(|layer| !layer.weights.is_empty());
    if owners.len() != saved.len() {
        return Err(Error::Weights(format!(
            "the model has {} layers with weights, the file {}",
            owners.len(),
            saved.len()
        )));
    }
    let mut values = Values::new();
    for (owner, layer) in owners.iter().zip(&saved) {
        pair(owner, layer, skip_mismatch, &mut values)?;
    }
    check_top_level(file, skip_mismatch)?;
    set(values)
}

/// Gives layers the weights of the file's layers of the same name; others keep what they have.
///
/// # Errors
/// As [`load_by_position`]; with `skip_mismatch` layers with another number of weights, too, keep
/// theirs.
pub(super) fn load_by_name(model: &Model, file: &LegacyFile, skip_mismatch: bool) -> Result<()> {
    let owners = owners(model);
    let mut values = Values::new();
    for layer in &file.layers()? {
        for owner in owners.iter().filter(|owner| owner.name == layer.name) {
            if skip_mismatch && owner.weights.len() != layer.weights.len() {
                let name = quote(&owner.name);
                log::warn!(target: SKIPPED, "not loaded: layer '{name}', which has other weights");
                continue;
            }
            pair(owner, layer, skip_mismatch, &mut values)?;
        }
    }
    check_top_level(file, skip_mismatch)?;
    set(values)
}

/// No model has weights of its own, outside its layers.
fn check_top_level(file: &LegacyFile, skip_mismatch: bool) -> Result<()> {
    let own = file.top_level()?.weights.len();
    if own == 0 || skip_mismatch {
        return Ok(());
    }
    Err(Error::Weights(format!("the file holds {own} weights of the model itself, which has none")))
}

fn pair(
    owner: &Owner,
    layer: &LegacyLayer,
    skip_mismatch: bool,
    values: &mut Values,
) -> Result<()> {
    let (expected, found) = (owner.weights.len(), layer.weights.len());
    if expected != found {
        return Err(Error::Weights(format!(
            "layer '{}' has {expected} weights, '{}' in the file has {found}",
            quote(&owner.name),
            quote(&layer.name)
        )));
    }
    for (weight, (name, source)) in owner.weights.iter().zip(&layer.weights) {
        let (shape, stored) = (&weight.variable.spec().shape, &source.spec().shape);
        if shape == stored {
            let dtype = weight.variable.spec().dtype;
            values.push((weight.variable.clone(), cast(source.clone(), dtype)));
            continue;
        }
        let what = format!(
            "'{}' has shape {shape}, '{}' in the file has {stored}",
            quote(&weight.path),
            quote(name)
        );
        if !skip_mismatch {
            return Err(Error::Weights(what));
        }
        log::warn!(target: SKIPPED, "not loaded: {what}");
    }
    Ok(())
}

fn set(values: Values) -> Result<()> {
    values.into_iter().try_for_each(|(variable, source)| variable.load(source))
}

/// Saves the whole model in the older format.
pub(super) fn save(
    model: &Model,
    path: &Path,
    version: Option<KerasVersion>,
    replace: Replace,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<()> {
    let groups = model.saved_groups();
    let config = model.config_for(version)?;
    if let Some(version) = version {
        profile::check_groups(&groups, &config, version)?;
    }
    let optimizer = groups.iter().find(|group| group.path == OPTIMIZER);
    let contents = LegacyContents {
        keras_version: version.map_or(KERAS_VERSION.into(), |version| version.to_string()),
        config: legacy_model(&config)?,
        training: config.get("compile_config").and_then(legacy_training),
        layers: model.layers().iter().map(named_weights).collect(),
        optimizer: optimizer.map(optimizer_weights).unwrap_or_default(),
    };
    write_legacy(path, contents, replace, progress)
}

fn named_weights(layer: &Arc<dyn Layer>) -> LegacyLayer {
    let weights = layer_weights(layer).into_iter();
    LegacyLayer {
        name: layer.base().name.clone(),
        weights: weights.map(|weight| (weight.path, weight.variable.source())).collect(),
    }
}

/// The optimizer's variables in order; names are for readers only.
fn optimizer_weights(group: &GroupPlan) -> Vec<LegacyWeight> {
    let name = group.name.as_deref().unwrap_or("optimizer");
    let named =
        |(key, source): &(String, Arc<dyn Source>)| (format!("{name}/{key}"), source.clone());
    group.datasets.iter().map(named).collect()
}
