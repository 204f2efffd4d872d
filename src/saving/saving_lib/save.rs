//! Saving whole models: `.keras`, the folder form, `.h5`, a stream.

use std::io::Write;
use std::path::Path;

use serde_json::json;

use crate::base::error::quote;
use crate::base::{Error, Result, ResultExt};
use crate::models::{CustomObjects, Model};
use crate::saving::archive_writer::write_archive_to;
use crate::saving::atomic;
use crate::saving::json::{parse, to_python};
use crate::saving::limits::check;
use crate::saving::saving_lib::{
    KERAS_VERSION, LoadOptions, compile, forget_compile_config, is_hdf5, legacy, read_config,
};
use crate::saving::{
    Contents, GroupPlan, Json, KerasVersion, Replace, WriteOptions, profile, walk, write_archive,
};
use crate::trainers::LossScaling;

/// How to save a model; the defaults are Keras's.
pub struct SaveOptions<'a> {
    /// Whether an existing file may be replaced.
    pub overwrite: bool,
    /// Reads what was written before it takes its place, and compares; see [`Replace::verify`].
    pub verify: bool,
    /// A `.keras` archive, or a folder with the same members.
    pub zipped: bool,
    /// Writes a file that this version of Keras and all later ones load; without one, what the newest
    /// Keras writes.
    pub keras_version: Option<KerasVersion>,
    /// Called with the bytes of weights written and their total.
    pub progress: Option<&'a mut dyn FnMut(u64, u64)>,
}

impl Default for SaveOptions<'_> {
    fn default() -> Self {
        SaveOptions {
            overwrite: true,
            verify: false,
            zipped: true,
            keras_version: None,
            progress: None,
        }
    }
}

impl SaveOptions<'_> {
    fn report(&mut self, done: u64, total: u64) {
        if let Some(progress) = &mut self.progress {
            progress(done, total);
        }
    }
}

impl Model {
    /// Saves the model as Keras does, replacing an existing file in one step when the new one is
    /// complete: Keras's `model.save(path)`.
    ///
    /// ```
    /// use keraunos::{Sequential, layers::Dense, load_model};
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("model.keras");
    /// let model = Sequential::new([4]).add(Dense::new(2)).build()?;
    /// model.save(&path)?;
    /// assert_eq!(load_model(&path)?.to_json()?, model.to_json()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`save_with`](Model::save_with).
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(path, &mut SaveOptions::default())
    }

    /// Saves the model: as an archive where the path ends in `.keras`, in the older format where it
    /// ends in `.h5` or `.hdf5`, and as a folder with `zipped` off. The arguments of Keras's
    /// `save(path, overwrite, zipped)` are fields of the options. Keras asks at the terminal before it
    /// replaces a file with `overwrite` off; here that is an error.
    ///
    /// ```
    /// use keraunos::{SaveOptions, Sequential, layers::Dense, load_model};
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("model");
    /// let model = Sequential::new([4]).add(Dense::new(2)).build()?;
    /// let mut options = SaveOptions { zipped: false, overwrite: false, ..SaveOptions::default() };
    /// model.save_with(&path, &mut options)?;
    /// assert!(path.join("config.json").exists());
    /// assert!(model.save_with(&path, &mut options).is_err());
    /// # load_model(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the path ends otherwise (or in `.keras`, for the folder form), if it exists and must not be
    /// replaced, if the version of Keras asked for lacks something that the model needs, or if the
    /// system refuses; the old file is then as it was.
    pub fn save_with(&self, path: impl AsRef<Path>, options: &mut SaveOptions<'_>) -> Result<()> {
        let path = path.as_ref();
        let replace = Replace { overwrite: options.overwrite, verify: options.verify };
        if is_hdf5(path) && options.zipped {
            let version = options.keras_version;
            let mut report = |done, all| options.report(done, all);
            return legacy::save(self, path, version, replace, &mut report);
        }
        check_name(path, options.zipped)?;
        let contents = self.contents(options.keras_version)?;
        let write = WriteOptions { replace, zipped: options.zipped, zip64: false };
        write_archive(path, &contents, &write, &mut |done, all| options.report(done, all))
    }

    /// Writes the model as a `.keras` archive to anything that takes bytes: a socket, a pipe, memory.
    /// Nothing is written twice or changed later. The bytes differ from those of a file, where the
    /// weights' checksum stands in front of them.
    ///
    /// ```
    /// use keraunos::{Sequential, layers::Dense};
    ///
    /// let mut bytes = Vec::new();
    /// Sequential::new([4]).add(Dense::new(2)).build()?.save_to(&mut bytes)?;
    /// assert!(bytes.starts_with(b"PK"));
    /// # Ok::<(), keraunos::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `out` refuses ([`Error::Io`] with an empty path), or the weights cannot be read.
    pub fn save_to(&self, out: impl Write) -> Result<()> {
        self.save_to_with(out, &mut SaveOptions::default())
    }

    /// Writes the model as [`save_to`](Model::save_to) does; of the options, those about paths have no
    /// meaning here.
    ///
    /// # Errors
    /// As [`save_to`](Model::save_to), or if the version of Keras asked for lacks something.
    pub fn save_to_with(&self, out: impl Write, options: &mut SaveOptions<'_>) -> Result<()> {
        let contents = self.contents(options.keras_version)?;
        write_archive_to(out, &contents, &mut |done, all| options.report(done, all))
    }

    fn contents(&self, version: Option<KerasVersion>) -> Result<Contents> {
        let mut metadata = self.new_metadata();
        let groups = self.saved_groups();
        if let Some(version) = version {
            profile::check_groups(&groups, &self.config, version)?;
            let fields = metadata.as_object().cloned().unwrap_or_default();
            metadata = Json::Object(fields);
            metadata["keras_version"] = version.to_string().into();
        }
        let (config, assets) = (self.config_for(version)?, self.assets.clone());
        Ok(Contents { metadata, config, groups, assets })
    }

    /// The model's config for a version of Keras, with the learning rates of now.
    pub(super) fn config_for(&self, version: Option<KerasVersion>) -> Result<Json> {
        let config = self.current_config()?;
        match version {
            Some(version) => profile::config_for(&config, version),
            None => Ok(config),
        }
    }

    /// The groups of the model's weights file, the optimizer's included.
    pub(super) fn saved_groups(&self) -> Vec<GroupPlan> {
        let mut groups = match &self.loaded_state {
            // Nothing has trained since the file was read.
            Some((versions, kept)) if *versions == self.optimizer_versions() => {
                let layers = walk::plans(&self.saved_layers()).into_iter();
                layers.chain(kept.iter().cloned()).collect()
            }
            _ => walk::plans(&self.saved()),
        };
        groups.extend(self.kept_groups.iter().cloned());
        groups
    }

    /// The metadata the model came with, or that of a new model. The same model gives the same
    /// bytes, so the date is a fixed one.
    fn new_metadata(&self) -> Json {
        self.metadata.clone().unwrap_or_else(
            || json!({"keras_version": KERAS_VERSION, "date_saved": "1980-01-01@00:00:00"}),
        )
    }

    /// The model's architecture and compile configuration as text, without weights: what Keras's
    /// `model.to_json()` gives, and what `config.json` holds in a `.keras` file.
    ///
    /// ```
    /// use keraunos::{CustomObjects, Model, Sequential, layers::Dense};
    ///
    /// let model = Sequential::new([4]).add(Dense::new(2)).build()?;
    /// let text = model.to_json()?;
    /// let again = Model::from_json(&text, &CustomObjects::new())?;
    /// assert_eq!(again.to_json()?, text);
    /// # Ok::<(), keraunos::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the learning rate of now cannot be read from the device that trains.
    pub fn to_json(&self) -> Result<String> {
        self.to_json_for(None)
    }

    /// The model's architecture as text that a version of Keras, and all later ones, read.
    ///
    /// # Errors
    /// As [`to_json`](Model::to_json), or if that version lacks something that the model needs.
    pub fn to_json_for(&self, version: Option<KerasVersion>) -> Result<String> {
        Ok(to_python(&self.config_for(version)?))
    }

    /// The model of a text that [`to_json`](Model::to_json), Keras's `model.to_json()` or a
    /// `config.json` holds, compiled if it says how: Keras's `model_from_json`. Its weights start as the
    /// layers' initializers say.
    ///
    /// # Errors
    /// If it is not JSON or no model that this version knows.
    #[doc(alias = "model_from_json")]
    pub fn from_json(text: &str, custom: &CustomObjects) -> Result<Model> {
        let options = LoadOptions { custom_objects: custom.clone(), ..LoadOptions::default() };
        Model::from_json_with(text, &options)
    }

    /// [`from_json`](Model::from_json) with the options of loading: whether to compile the model, bounds
    /// on the text, what to do with float64.
    ///
    /// # Errors
    /// As [`from_json`](Model::from_json), or if the text goes beyond the limits.
    pub fn from_json_with(text: &str, options: &LoadOptions) -> Result<Model> {
        const NAME: &str = "the model's JSON";
        let bytes = text.len() as u64;
        check(|| format!("{NAME} in bytes"), bytes, options.limits.config_bytes, "config_bytes")?;
        let config = parse(text.as_bytes(), NAME, &options.limits)?;
        let mut model = read_config(config, options)?;
        if options.compile {
            compile(&mut model, LossScaling::ByPolicy).at(|| "compile_config".into())?;
        } else {
            forget_compile_config(&mut model);
        }
        Ok(model)
    }
}

/// Whether a model can be saved under a name: tried before long work whose result goes there. Nothing
/// stays behind.
///
/// # Errors
/// Those that [`Model::save`] has for the name: another ending, no folder, no permission.
pub(crate) fn try_target(path: &Path) -> Result<()> {
    if !is_hdf5(path) {
        check_name(path, true)?;
    }
    atomic::try_create(path)
}

/// Whether a name ends as that of an archive, or of a folder.
fn check_name(path: &Path, zipped: bool) -> Result<()> {
    let is_archive = path.extension().is_some_and(|e| e == "keras");
    if is_archive == zipped {
        return Ok(());
    }
    let what = match zipped {
        true => "the name of a model file ends in .keras, or in .h5 for the older format",
        false => "the name of a folder (zipped = false) does not end in .keras",
    };
    let path = quote(&path.display().to_string());
    Err(Error::Invalid(format!("cannot save to {path}: {what}")))
}
