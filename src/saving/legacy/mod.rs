//! The older format of whole models and of weights: one HDF5 file, ending in `.h5` or `.hdf5`.
//!
//! Layers are listed by name and their weights by position, and the configuration leaves out
//! modules. Keras 3 still reads and writes it.

mod config;
mod nodes;
mod training;
mod write;

pub use config::{legacy_model, modern_model};
pub use training::{legacy_training, modern_training};
#[cfg(test)]
pub(super) use write::write_legacy_on;
pub use write::{LegacyContents, LegacyWeight, write_legacy};

use std::path::Path;
use std::sync::Arc;

use crate::base::error::quote;
use crate::base::{Error, Result, ResultExt, Source};
use crate::saving::Limits;
use crate::saving::bytes::{FileBytes, ReadAt};
use crate::saving::h5::H5File;
use crate::saving::json::{self, Json};
use crate::saving::limits::check;

const MEMBER: &str = "the model file";
const CONFIG: &str = "model_config";
const TRAINING: &str = "training_config";
const WEIGHTS: &str = "model_weights";
const OPTIMIZER: &str = "optimizer_weights";
const TOP_LEVEL: &str = "top_level_model_weights";
const LAYER_NAMES: &str = "layer_names";
const WEIGHT_NAMES: &str = "weight_names";
const VERSION: &str = "keras_version";

/// A model in the older format, opened for reading.
pub struct LegacyFile {
    file: H5File,
    limits: Limits,
}

/// The weights of one layer, by name, in the order of the layer: trainable ones first.
pub struct LegacyLayer {
    /// The layer's own name.
    pub name: String,
    /// Names such as `dense/kernel:0`, and contents.
    pub weights: Vec<(String, Arc<dyn Source>)>,
}

impl LegacyFile {
    /// Opens a model file.
    ///
    /// # Errors
    /// If it cannot be read or is not HDF5.
    pub fn open(path: &Path, limits: &Limits) -> Result<LegacyFile> {
        let source = Arc::new(FileBytes::open(path)?);
        LegacyFile::from_source(source, limits).at(|| path.display().to_string())
    }

    /// Opens a model file anywhere.
    ///
    /// # Errors
    /// If it is not HDF5.
    pub fn from_source(source: Arc<dyn ReadAt>, limits: &Limits) -> Result<LegacyFile> {
        let file = H5File::open(source, MEMBER, limits)?;
        Ok(LegacyFile { file, limits: limits.clone() })
    }

    /// The model's configuration.
    ///
    /// # Errors
    /// If there is none, as in a file of weights only, or it is not JSON.
    pub fn config(&self) -> Result<Json> {
        let config = self.json(CONFIG)?;
        let nothing = "no attribute 'model_config', so it holds weights at most, and no model";
        config.ok_or_else(|| self.refuse(nothing))
    }

    /// Whether the file holds a model, and not only weights.
    ///
    /// # Errors
    /// If the file is damaged where it says so.
    pub fn holds_model(&self) -> Result<bool> {
        Ok(self.file.texts("", CONFIG)?.is_some())
    }

    /// What the model was compiled with, when it was.
    ///
    /// # Errors
    /// If it is not JSON.
    pub fn training_config(&self) -> Result<Option<Json>> {
        self.json(TRAINING)
    }

    /// The version of Keras that wrote the file, where it says so.
    ///
    /// # Errors
    /// If the attribute is damaged.
    pub fn keras_version(&self) -> Result<Option<String>> {
        let place = if self.file.texts("", VERSION)?.is_some() { "" } else { WEIGHTS };
        let texts = self.file.texts(place, VERSION)?;
        Ok(texts.and_then(|texts| texts.into_iter().next()))
    }

    /// The weights that the model itself owns, outside its layers.
    ///
    /// # Errors
    /// As [`LegacyFile::layers`].
    pub fn top_level(&self) -> Result<LegacyLayer> {
        let in_model = self.names(WEIGHTS, LAYER_NAMES)?.is_some();
        let root = if in_model { format!("{WEIGHTS}/") } else { String::new() };
        self.group(&root, TOP_LEVEL.into(), false)
    }

    /// The state of the optimizer, in the order of its variables; empty when there is none.
    ///
    /// # Errors
    /// As [`LegacyFile::layers`].
    pub fn optimizer(&self) -> Result<LegacyLayer> {
        self.group("", OPTIMIZER.into(), false)
    }

    fn json(&self, attribute: &str) -> Result<Option<Json>> {
        let Some(texts) = self.file.texts("", attribute)? else { return Ok(None) };
        let [text] = texts.as_slice() else {
            return Err(self.refuse(&format!("'{attribute}' is not one text")));
        };
        let what = || format!("'{attribute}' in bytes");
        check(what, text.len() as u64, self.limits.config_bytes, "config_bytes")?;
        json::parse(text.as_bytes(), attribute, &self.limits).map(Some)
    }

    /// The layers in the order of the model, those without weights included.
    ///
    /// # Errors
    /// If a layer or weight that the file lists is missing, listed twice or damaged.
    pub fn layers(&self) -> Result<Vec<LegacyLayer>> {
        let in_model = self.names(WEIGHTS, LAYER_NAMES)?;
        let (root, names) = match in_model {
            Some(names) => (format!("{WEIGHTS}/"), names),
            // A file of weights only has the layers at its root.
            None => (String::new(), self.names("", LAYER_NAMES)?.unwrap_or_default()),
        };
        if names.is_empty() {
            return Err(self.refuse("no layers are listed in 'layer_names'"));
        }
        self.check_once(&names)?;
        names.into_iter().map(|name| self.group(&root, name, true)).collect()
    }

    /// The weights that a group lists; nothing for a group that may be missing and is.
    fn group(&self, root: &str, name: String, is_listed: bool) -> Result<LegacyLayer> {
        let path = format!("{root}{name}");
        let names = match self.names(&path, WEIGHT_NAMES)? {
            None if is_listed => {
                let name = quote(&name);
                return Err(self.refuse(&format!("layer '{name}' is listed, but has no weights")));
            }
            names => names.unwrap_or_default(),
        };
        self.check_once(&names)?;
        let weights = names.into_iter().map(|weight| {
            let absent = || self.refuse(&format!("weight '{}' is missing", quote(&weight)));
            let odd = |part: &str| part.is_empty() || part == "." || part == "..";
            if weight.split('/').any(odd) {
                return Err(self.refuse(&format!("'{}' cannot name a weight", quote(&weight))));
            }
            let source = self.file.dataset(&format!("{path}/{weight}"))?.ok_or_else(absent)?;
            Ok((weight, source))
        });
        Ok(LegacyLayer { weights: weights.collect::<Result<_>>()?, name })
    }

    /// The texts of an attribute, which is split into numbered ones when it is large.
    fn names(&self, path: &str, attribute: &str) -> Result<Option<Vec<String>>> {
        if let Some(names) = self.file.texts(path, attribute)? {
            return Ok(Some(names));
        }
        let mut all = Vec::new();
        for i in 0..self.limits.h5_groups {
            match self.file.texts(path, &format!("{attribute}{i}"))? {
                Some(names) => all.extend(names),
                None => break,
            }
        }
        Ok((!all.is_empty()).then_some(all))
    }

    fn check_once(&self, names: &[String]) -> Result<()> {
        let mut seen = std::collections::HashSet::new();
        match names.iter().find(|name| !seen.insert(name.as_str())) {
            Some(name) => Err(self.refuse(&format!("'{}' is listed twice", quote(name)))),
            None => Ok(()),
        }
    }

    fn refuse(&self, what: &str) -> Error {
        Error::Hdf5 { member: MEMBER.into(), what: what.into() }
    }
}
