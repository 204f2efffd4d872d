//! Weights without their model: `save_weights` and `load_weights`.

use std::path::Path;

use crate::base::error::quote;
use crate::base::{Error, Result, ResultExt};
use crate::models::Model;
use crate::saving::legacy::LegacyFile;
use crate::saving::load::load_into;
use crate::saving::saving_lib::{is_hdf5, legacy};
use crate::saving::weights_file::{ShardSize, write_shards, write_weights};
use crate::saving::{
    Archive, GroupPlan, KerasVersion, Limits, Replace, Store, open_weights, profile,
};

const WEIGHTS_H5: &str = ".weights.h5";
const WEIGHTS_JSON: &str = ".weights.json";

/// How to save weights; the defaults are Keras's.
pub struct SaveWeightsOptions<'a> {
    /// Whether an existing file may be replaced.
    pub overwrite: bool,
    /// Reads what was written before it takes its place, and compares; see [`Replace::verify`].
    pub verify: bool,
    /// Spreads the weights over files of at most this many bytes, with an index beside them. Keras
    /// counts in GiB.
    #[doc(alias = "max_shard_size")]
    pub max_shard_bytes: Option<u64>,
    /// Writes a file that this version of Keras and all later ones load.
    pub keras_version: Option<KerasVersion>,
    /// Called with the bytes written and their total.
    pub progress: Option<&'a mut dyn FnMut(u64, u64)>,
}

impl Default for SaveWeightsOptions<'_> {
    fn default() -> Self {
        SaveWeightsOptions {
            overwrite: true,
            verify: false,
            max_shard_bytes: None,
            keras_version: None,
            progress: None,
        }
    }
}

/// How to load weights; the defaults are Keras's.
#[derive(Clone, Debug, Default)]
pub struct LoadWeightsOptions {
    /// Leaves weights that do not fit as they are, with a warning, instead of failing.
    pub skip_mismatch: bool,
    /// Pairs layers by their names instead of their order. For files in the older format only.
    pub by_name: bool,
    /// Bounds on what a file may ask for.
    pub limits: Limits,
}

impl Model {
    /// Saves all weights, and the state of the optimizer, to a file that ends in `.weights.h5`: Keras's
    /// `model.save_weights(path)`.
    ///
    /// ```
    /// use keraunos::{Sequential, layers::Dense};
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("model.weights.h5");
    /// let model = Sequential::new([4]).add(Dense::new(2)).build()?;
    /// model.save_weights(&path)?;
    /// let mut other = Sequential::new([4]).add(Dense::new(2)).build()?;
    /// other.load_weights(&path)?;
    /// # let values = |model: &keraunos::Model| model.variables()[0].1.value();
    /// # assert_eq!(values(&other)?, values(&model)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`save_weights_with`](Model::save_weights_with).
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_weights_with(path, &mut SaveWeightsOptions::default())
    }

    /// Saves all weights, and the state of the optimizer, in one file or in shards. Keras's
    /// `max_shard_size` counts in GiB, [`max_shard_bytes`](SaveWeightsOptions::max_shard_bytes) in bytes.
    ///
    /// ```
    /// use keraunos::{SaveWeightsOptions, Sequential, layers::Dense};
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("model.weights.json");
    /// let mut model = Sequential::new([4]).add(Dense::new(2)).build()?;
    /// let shards = Some(32);
    /// let mut options = SaveWeightsOptions { max_shard_bytes: shards, ..Default::default() };
    /// model.save_weights_with(&path, &mut options)?;
    /// assert!(path.with_file_name("model_00001.weights.h5").exists());
    /// model.load_weights(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the path does not end in `.weights.h5`, or, for shards, in `.weights.json` (Keras's
    /// `.weights.h5` stands for that too); if one variable is larger than a shard, or, for Keras before
    /// 3.12, all variables of one object; if the model is
    /// not built; if the version of Keras asked for would read other weights; if the system refuses.
    pub fn save_weights_with(
        &self,
        path: impl AsRef<Path>,
        options: &mut SaveWeightsOptions<'_>,
    ) -> Result<()> {
        let path = path.as_ref();
        let name = path.to_string_lossy();
        self.check_built("save")?;
        let groups = self.saved_groups();
        if let Some(version) = options.keras_version {
            profile::check_groups(&groups, &self.config, version)?;
            if options.max_shard_bytes.is_some() {
                profile::check_shards(version)?;
            }
        }
        let replace = Replace { overwrite: options.overwrite, verify: options.verify };
        let mut silent = |_, _| {};
        let progress: &mut dyn FnMut(u64, u64) = match &mut options.progress {
            Some(progress) => progress,
            None => &mut silent,
        };
        let whole_objects = options.keras_version.is_some_and(profile::finds_one_shard);
        match options.max_shard_bytes.map(|bytes| ShardSize { bytes, whole_objects }) {
            Some(size) if name.ends_with(WEIGHTS_JSON) => {
                write_shards(path, &groups, size, replace, progress)
            }
            Some(size) if name.ends_with(WEIGHTS_H5) => {
                let index = path.with_extension("json");
                write_shards(&index, &groups, size, replace, progress)
            }
            None if name.ends_with(WEIGHTS_H5) => write_weights(path, &groups, replace, progress),
            sharded => Err(Error::Invalid(format!(
                "cannot save weights to '{}': the name must end in {}",
                quote(&name),
                if sharded.is_some() { WEIGHTS_JSON } else { WEIGHTS_H5 }
            ))),
        }
    }

    /// Loads the weights of all layers, and the optimizer's state, from a weights file of any form.
    ///
    /// # Errors
    /// As [`load_weights_with`](Model::load_weights_with).
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.load_weights_with(path, &LoadWeightsOptions::default())
    }

    /// Loads weights: from `.weights.h5`, `.weights.json` with its shards, the weights within a
    /// `.keras` file or its folder form; or, by the order or the names of layers, from the older
    /// format, any other `.h5` or `.hdf5`.
    ///
    /// The arguments of Keras's `load_weights(path, skip_mismatch, by_name)` are fields of the options.
    /// Unless `by_name` says otherwise, layers are found by their place in the model, never by name:
    ///
    /// ```
    /// use keraunos::{LoadWeightsOptions, Sequential, layers::Dense};
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("model.weights.h5");
    /// let old = Sequential::new([4]).add(Dense::new(8)).add(Dense::new(2)).build()?;
    /// old.save_weights(&path)?;
    /// let mut new = Sequential::new([4]).add(Dense::new(8)).add(Dense::new(3)).build()?;
    /// assert!(new.load_weights(&path).is_err());
    /// let options = LoadWeightsOptions { skip_mismatch: true, ..LoadWeightsOptions::default() };
    /// new.load_weights_with(&path, &options)?; // the first layer's
    /// # let values = |model: &keraunos::Model| model.variables()[0].1.value();
    /// # assert_eq!(values(&new)?, values(&old)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the file is missing or damaged, or [`Error::Weights`] if it does not fit the model, which
    /// is then as it was.
    pub fn load_weights_with(
        &mut self,
        path: impl AsRef<Path>,
        options: &LoadWeightsOptions,
    ) -> Result<()> {
        let path = path.as_ref();
        self.check_built("load")?;
        self.read_weights(path, options).at(|| path.display().to_string())
    }

    fn read_weights(&mut self, path: &Path, options: &LoadWeightsOptions) -> Result<()> {
        let name = path.to_string_lossy();
        let is_folder = path.is_dir();
        let is_legacy = is_hdf5(path) && !name.ends_with(WEIGHTS_H5) && !is_folder;
        if options.by_name && !is_legacy {
            return Err(Error::Invalid(
                "by_name is for files in the older format, which list layers by name; newer ones \
                 hold weights by the structure of the model"
                    .into(),
            ));
        }
        if is_legacy {
            let file = LegacyFile::open(path, &options.limits)?;
            let load =
                if options.by_name { legacy::load_by_name } else { legacy::load_by_position };
            return load(self, &file, options.skip_mismatch);
        }
        let store = if is_folder || name.ends_with(".keras") {
            Archive::open(path, &options.limits)?.weights()?
        } else if [WEIGHTS_H5, WEIGHTS_JSON, ".npz"].iter().any(|end| name.ends_with(end)) {
            open_weights(path, &options.limits)?
        } else {
            return Err(Error::Invalid(
                "weights are read from files that end in .weights.h5, .weights.json, .keras, .h5 \
                 or .hdf5"
                    .into(),
            ));
        };
        load_into(&self.saved(), store.as_ref(), options.skip_mismatch)?;
        // What the optimizer holds now is no longer what the model's file held.
        self.loaded_state = None;
        self.load_kept_groups(store.as_ref())
    }

    /// Takes over the optimizer's state where the file has one of the same variables.
    fn load_kept_groups(&mut self, store: &dyn Store) -> Result<()> {
        for kept in &mut self.kept_groups {
            let Some(found) = store.group(&kept.path)? else { continue };
            let found =
                GroupPlan { path: kept.path.clone(), name: found.name, datasets: found.datasets };
            if specs(kept).eq(specs(&found)) {
                *kept = found;
            } else {
                log::warn!("not loaded: '{}', which holds other variables", quote(&kept.path));
            }
        }
        Ok(())
    }

    fn check_built(&self, what: &str) -> Result<()> {
        if self.root().base().built {
            return Ok(());
        }
        Err(Error::Invalid(format!(
            "cannot {what} the weights of model '{}': it is not built, as its input shape is not \
             known",
            quote(&self.name())
        )))
    }
}

fn specs(group: &GroupPlan) -> impl Iterator<Item = &crate::base::Spec> {
    group.datasets.iter().map(|(_, source)| source.spec())
}
