//! Whole models and their weights: `load_model`, `model.save`, `model.save_weights`,
//! `model.load_weights`, with Keras's meaning.

mod legacy;
mod save;
mod trainable;
mod weights;

use std::io::{Read, Seek};
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use crate::base::error::quote;
use crate::base::{Error, Result, ResultExt};
use crate::models::{CustomObjects, Model, compile_config};
use crate::saving::archive::ASSETS;
use crate::saving::bytes::Seekable;
use crate::saving::legacy::LegacyFile;
use crate::saving::limits::check;
use crate::saving::load::load_into;
use crate::saving::store::GroupPlan;
use crate::saving::{Archive, Json, Limits, ReadAt, Saved, Store};
use crate::trainers::{Compile, LossScaling, Training};

pub use save::SaveOptions;
pub(crate) use save::try_target;
pub use weights::{LoadWeightsOptions, SaveWeightsOptions};

/// The Keras version whose file layout is written, and named in the metadata of new models.
pub const KERAS_VERSION: &str = "3.15.1";

/// How to load a model; the defaults are Keras's.
#[derive(Debug)]
pub struct LoadOptions {
    /// Layers of the user's own.
    pub custom_objects: CustomObjects,
    /// Whether to keep the optimizer, its state and the compile configuration.
    pub compile: bool,
    /// As in Keras. Code in a file is never run, whatever is said here: with `false`, too, a file that
    /// holds Python code is refused.
    pub safe_mode: bool,
    /// Whether to compute in float32 what the model wants in float64; such models are refused
    /// otherwise. [`Model::narrowed`] tells where. Weights stay in float64 in the file.
    pub narrow_float64: bool,
    /// Layers by name, each with whether it trains from now on, as setting `layer.trainable` does in
    /// Keras: it holds for all layers within it. As there, the model is compiled anew then, with the
    /// settings of the file and an optimizer that starts afresh; weights that do not train stay as they
    /// are. Files in the older format (`.h5`) list weights by what trains, and are refused with this.
    pub trainable: Vec<(String, bool)>,
    /// Bounds on what a file may ask for.
    pub limits: Limits,
    /// Reads nothing of the weights of a `.keras` archive until they are first used: by a device that
    /// computes, by [`Variable::value`](crate::tensor::Variable::value), or by a save. Config, names and
    /// shapes are checked at once; the weights' checksum is taken while they are read, and compared
    /// before any of them is used, so that the first use says whether the file is damaged. Without this,
    /// loading reads them once for the checksum.
    ///
    /// Either way the file stays open and must not be written to until the last weight has been read;
    /// where its length or its date of change differ by then, that is an error. Replacing it by another
    /// file of its name, as every save does, leaves what was opened as it is. Deflated weights are
    /// inflated while loading.
    pub lazy: bool,
}

impl Default for LoadOptions {
    fn default() -> LoadOptions {
        LoadOptions {
            custom_objects: CustomObjects::new(),
            compile: true,
            safe_mode: true,
            narrow_float64: false,
            trainable: Vec::new(),
            limits: Limits::default(),
            lazy: false,
        }
    }
}

/// Loads a model with the default options: Keras's `load_model(path)`.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("model.keras");
/// # use keraunos::{Sequential, layers::Dense};
/// # Sequential::new([4]).add(Dense::new(2)).build()?.save(&path)?;
/// let model = keraunos::load_model(&path)?;
/// assert_eq!(model.layers().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`load_model_with`].
pub fn load_model(path: impl AsRef<Path>) -> Result<Model> {
    load_model_with(path, &LoadOptions::default())
}

/// Loads a model from a `.keras` archive, the folder form of one, or the older format, which ends
/// in `.h5` or `.hdf5`.
///
/// Weights are found and checked now, and read when they are first needed, by the device that computes;
/// see [`LoadOptions::lazy`].
///
/// The arguments of Keras's `load_model(path, custom_objects, compile, safe_mode)` are fields of the
/// options:
///
/// ```
/// use keraunos::{LoadOptions, load_model_with};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("model.keras");
/// # use keraunos::{Sequential, layers::Dense, trainers::Compile};
/// # let mut model = Sequential::new([4]).add(Dense::new(2)).build()?;
/// # model.compile(Compile::new("adam").loss("mse"))?;
/// # model.save(&path)?;
/// let options = LoadOptions { compile: false, ..LoadOptions::default() };
/// let model = load_model_with(&path, &options)?;
/// assert!(!model.is_compiled());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// What is wrong in the file and where; nothing of the file is run, and no other file is opened.
pub fn load_model_with(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Model> {
    let path = path.as_ref();
    if is_hdf5(path) && !path.is_dir() {
        let file = LegacyFile::open(path, &options.limits)?;
        return legacy::load(&file, options).at(|| path.display().to_string());
    }
    let archive = Archive::open(path, &options.limits)?;
    load_archive(&archive, options).at(|| path.display().to_string())
}

/// Whether a path names a file in HDF5.
fn is_hdf5(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "h5" || ending == "hdf5")
}

/// What an HDF5 file starts with.
const HDF5_SIGNATURE: &[u8; 8] = b"\x89HDF\r\n\x1a\n";

/// Whether bytes are those of an HDF5 file.
pub(crate) fn is_hdf5_file(source: &dyn ReadAt) -> Result<bool> {
    let mut head = [0; HDF5_SIGNATURE.len()];
    if source.len() >= head.len() as u64 {
        source.read_at(0, &mut head)?;
    }
    Ok(head == *HDF5_SIGNATURE)
}

/// Loads a model from the bytes of a `.keras` archive or of a file in the older format, wherever
/// they are: in memory, or within the program itself.
///
/// ```
/// use std::sync::Arc;
/// use keraunos::{LoadOptions, Sequential, layers::Dense, load_model_from};
///
/// // A program's own model: static BYTES: &[u8] = include_bytes!("model.keras");
/// let mut bytes = Vec::new();
/// Sequential::new([4]).add(Dense::new(2)).build()?.save_to(&mut bytes)?;
/// let model = load_model_from(Arc::new(bytes), &LoadOptions::default())?;
/// assert_eq!(model.layers().len(), 1);
/// # Ok::<(), keraunos::Error>(())
/// ```
///
/// # Errors
/// As [`load_model_with`].
pub fn load_model_from(source: Arc<dyn ReadAt>, options: &LoadOptions) -> Result<Model> {
    if is_hdf5_file(source.as_ref())? {
        return legacy::load(&LegacyFile::from_source(source, &options.limits)?, options);
    }
    load_archive(&Archive::from_source(source, &options.limits)?, options)
}

/// Loads a model from anything that can be read from any position, such as a file within another one
/// or a decoder; it is kept until the last weight has been read.
///
/// ```
/// use std::io::Cursor;
/// use keraunos::{LoadOptions, Sequential, layers::Dense, load_model_from_reader};
///
/// let mut bytes = Vec::new();
/// Sequential::new([4]).add(Dense::new(2)).build()?.save_to(&mut bytes)?;
/// let model = load_model_from_reader(Cursor::new(bytes), &LoadOptions::default())?;
/// assert_eq!(model.layers().len(), 1);
/// # Ok::<(), keraunos::Error>(())
/// ```
///
/// # Errors
/// As [`load_model_with`]; errors of the reader come as [`Error::Io`] with an empty path.
pub fn load_model_from_reader(
    reader: impl Read + Seek + Send + 'static,
    options: &LoadOptions,
) -> Result<Model> {
    load_model_from(Arc::new(Seekable::new(reader)?), options)
}

fn load_archive(archive: &Archive, options: &LoadOptions) -> Result<Model> {
    let mut model = read_config(archive.config()?, options).at(|| "config.json".into())?;
    model.metadata = archive.metadata()?;
    let weights = if options.lazy { archive.weights_on_use() } else { archive.weights() }?;
    let compiled = |model: &mut Model| {
        let scaling = LossScaling::of_file(weights.as_ref())?;
        compile(model, scaling).at(|| "compile_config".into())
    };
    // The optimizer's state in the file is of other weights where others train.
    let resumes = options.compile && options.trainable.is_empty();
    if resumes {
        compiled(&mut model)?;
    }
    let saved = model.saved();
    load_into(&saved, weights.as_ref(), false)?;
    if resumes {
        let groups = kept_groups(&model.saved_layers(), weights.as_ref())?;
        keep(&mut model, groups);
    } else if options.compile {
        compiled(&mut model)?;
    } else {
        forget_compile_config(&mut model);
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

/// The model of a root record, not compiled yet.
fn read_config(mut config: Json, options: &LoadOptions) -> Result<Model> {
    trainable::set(&mut config, &options.trainable)?;
    compile_config::check(&config, options.compile, &options.custom_objects)?;
    let mut model = Model::read(config, &options.custom_objects, options.narrow_float64)?;
    model.predict_bytes = options.limits.predict_bytes;
    Ok(model)
}

/// Leaves out how the model was compiled, as `compile=False` does.
fn forget_compile_config(model: &mut Model) {
    if let Some(config) = model.config.get_mut("compile_config") {
        *config = json!({});
    }
}

/// Gives the model the optimizer, losses and metrics of its configuration.
fn compile(model: &mut Model, scaling: LossScaling) -> Result<()> {
    if model.is_distiller() {
        // As in Keras, which cannot compile one from its configuration either.
        log::warn!("the distiller '{}' is not compiled", model.name());
        return Ok(());
    }
    if let Some(compile) = model.config.get("compile_config").and_then(Compile::from_config) {
        model.training = Some(Training::new(model, compile, scaling)?);
    }
    Ok(())
}

/// Keeps the optimizer's groups of a file, to be written back until training changes them.
fn keep(model: &mut Model, groups: Vec<GroupPlan>) {
    if model.training.is_some() {
        model.loaded_state = Some((model.optimizer_versions(), groups));
    } else {
        model.kept_groups = groups;
    }
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
