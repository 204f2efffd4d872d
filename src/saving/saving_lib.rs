//! Whole models: `load_model` and `model.save`, with Keras's meaning.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use crate::base::error::quote;
use crate::base::{Error, Result, ResultExt};
use crate::models::{CustomObjects, Model, compile_config};
use crate::saving::archive::ASSETS;
use crate::saving::limits::check;
use crate::saving::load::load_into;
use crate::saving::store::GroupPlan;
use crate::saving::{
    Archive, Contents, Json, Limits, ReadAt, Saved, Store, WriteOptions, walk, write_archive,
};
use crate::trainers::{Compile, Training};

/// The Keras version whose file layout is written, and named in the metadata of new models.
pub const KERAS_VERSION: &str = "3.15.1";

/// How to load a model; the defaults are Keras's.
pub struct LoadOptions {
    /// Layers of the user's own.
    pub custom_objects: CustomObjects,
    /// Whether to keep the optimizer, its state and the compile configuration.
    pub compile: bool,
    /// As in Keras. Code in a file is never run, whatever is said here: with `false`, too, a file that
    /// holds Python code is refused.
    pub safe_mode: bool,
    /// Bounds on what a file may ask for.
    pub limits: Limits,
}

impl Default for LoadOptions {
    fn default() -> LoadOptions {
        LoadOptions {
            custom_objects: CustomObjects::new(),
            compile: true,
            safe_mode: true,
            limits: Limits::default(),
        }
    }
}

/// How to save a model; the defaults are Keras's.
pub struct SaveOptions<'a> {
    /// Whether an existing file may be replaced.
    pub overwrite: bool,
    /// A `.keras` archive, or a folder with the same members.
    pub zipped: bool,
    /// Called with the bytes of weights written and their total.
    pub progress: Option<&'a mut dyn FnMut(u64, u64)>,
}

impl Default for SaveOptions<'_> {
    fn default() -> Self {
        SaveOptions { overwrite: true, zipped: true, progress: None }
    }
}

/// Loads a model with the default options.
///
/// ```no_run
/// let model = keraunos::load_model("model.keras")?;
/// # Ok::<(), keraunos::Error>(())
/// ```
pub fn load_model(path: impl AsRef<Path>) -> Result<Model> {
    load_model_with(path, &LoadOptions::default())
}

/// Loads a model from a `.keras` archive or the folder form of one.
///
/// Weights are found now and read when they are first needed, by the device that computes.
///
/// # Errors
/// What is wrong in the file and where; nothing of the file is run, and no other file is opened.
pub fn load_model_with(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Model> {
    let path = path.as_ref();
    if path.extension().is_some_and(|ending| ending == "h5" || ending == "hdf5") {
        return Err(Error::Unsupported(format!(
            "{}: a whole model in HDF5, the format before .keras; load it in Keras and save it as \
             .keras",
            path.display()
        )));
    }
    let archive = Archive::open(path, &options.limits)?;
    load_archive(&archive, options).at(|| path.display().to_string())
}

/// Loads a model from the bytes of a `.keras` archive, wherever they are.
///
/// # Errors
/// As [`load_model_with`].
pub fn load_model_from(source: Arc<dyn ReadAt>, options: &LoadOptions) -> Result<Model> {
    load_archive(&Archive::from_source(source, &options.limits)?, options)
}

fn load_archive(archive: &Archive, options: &LoadOptions) -> Result<Model> {
    let config = archive.config()?;
    compile_config::check(&config, options.compile).at(|| "config.json".into())?;
    let mut model =
        Model::from_config(config, &options.custom_objects).at(|| "config.json".into())?;
    model.metadata = archive.metadata()?;
    model.predict_bytes = options.limits.predict_bytes;
    let weights = archive.weights()?;
    let compile = model.config.get("compile_config").and_then(Compile::from_config);
    if let Some(compile) = compile.filter(|_| options.compile) {
        model.training = Some(Training::new(&model, compile).at(|| "compile_config".into())?);
    }
    let saved = model.saved();
    load_into(&saved, weights.as_ref())?;
    if options.compile {
        let groups = kept_groups(&model.saved_layers(), weights.as_ref())?;
        if model.training.is_some() {
            model.loaded_state = Some((model.optimizer_versions(), groups));
        } else {
            model.kept_groups = groups;
        }
    } else if let Some(config) = model.config.get_mut("compile_config") {
        *config = json!({});
    }
    let assets = || archive.members().iter().filter(|m| m.name.starts_with(ASSETS));
    let total = assets().fold(0u64, |sum, member| sum.saturating_add(member.bytes));
    check(|| "all assets in bytes".into(), total, options.limits.asset_bytes, "asset_bytes")?;
    for path in archive.assets() {
        model.assets.push((path.to_owned(), archive.asset(path)?));
    }
    load_assets(&saved, &model.assets)?;
    Ok(model)
}

/// Gives objects what the file keeps for them below `assets/`, in Keras's order.
fn load_assets(saved: &[Saved], assets: &[(String, Vec<u8>)]) -> Result<()> {
    for object in saved {
        let Some(owner) = &object.assets else { continue };
        let read = |file: &str| {
            let path = format!("{}/{file}", object.path);
            let found = assets.iter().find(|(name, _)| *name == path);
            found
                .map(|(_, bytes)| bytes.clone())
                .ok_or_else(|| Error::Archive(format!("no member '{ASSETS}{}'", quote(&path))))
        };
        owner.load(&read).at(|| format!("assets of '{}'", quote(&object.path)))?;
    }
    Ok(())
}

/// The groups of a file that hold the optimizer's state: kept as they are, and written back.
fn kept_groups(saved: &[Saved], store: &dyn Store) -> Result<Vec<GroupPlan>> {
    let mut kept = Vec::new();
    for path in store.groups() {
        let known = saved.iter().any(|s| s.group_path() == path);
        if known || !path.starts_with("optimizer/") {
            continue;
        }
        if let Some(group) = store.group(&path)? {
            kept.push(GroupPlan { path, name: group.name, datasets: group.datasets });
        }
    }
    Ok(kept)
}

impl Model {
    /// Saves the model as Keras does, replacing an existing file in one step when the new one is
    /// complete.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(path, &mut SaveOptions::default())
    }

    /// Saves the model.
    ///
    /// # Errors
    /// If the path does not end in `.keras` (or does, for the folder form), if it exists and must not
    /// be replaced, or if the system refuses; the old file is then as it was.
    pub fn save_with(&self, path: impl AsRef<Path>, options: &mut SaveOptions<'_>) -> Result<()> {
        let path = path.as_ref();
        let is_archive = path.extension().is_some_and(|e| e == "keras");
        if is_archive != options.zipped {
            return Err(Error::Invalid(format!(
                "cannot save to {}: {}",
                quote(&path.display().to_string()),
                if options.zipped {
                    "the name of an archive ends in .keras"
                } else {
                    "the name of a folder (zipped = false) does not end in .keras"
                }
            )));
        }
        let mut groups = match &self.loaded_state {
            // Nothing has trained since the file was read.
            Some((versions, kept)) if *versions == self.optimizer_versions() => {
                let layers = walk::plans(&self.saved_layers()).into_iter();
                layers.chain(kept.iter().cloned()).collect()
            }
            _ => walk::plans(&self.saved()),
        };
        groups.extend(self.kept_groups.iter().cloned());
        let contents = Contents {
            metadata: self.new_metadata(),
            config: self.config.clone(),
            groups,
            assets: self.assets.clone(),
        };
        let mut silent = |_, _| {};
        let progress: &mut dyn FnMut(u64, u64) = match &mut options.progress {
            Some(progress) => progress,
            None => &mut silent,
        };
        let write = WriteOptions { overwrite: options.overwrite, zipped: options.zipped };
        write_archive(path, &contents, &write, progress)
    }

    /// The metadata the model came with, or that of a new model. The same model gives the same
    /// bytes, so the date is that of `SOURCE_DATE_EPOCH`, or a fixed one.
    fn new_metadata(&self) -> Json {
        self.metadata.clone().unwrap_or_else(
            || json!({"keras_version": KERAS_VERSION, "date_saved": "1980-01-01@00:00:00"}),
        )
    }
}
