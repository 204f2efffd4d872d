//! The older whole-model format: one HDF5 file, ending in `.h5` or `.hdf5`.

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
const WEIGHTS: &str = "model_weights";

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
        let config = self.json("model_config")?;
        config.ok_or_else(|| self.refuse("no attribute 'model_config', so it holds no model"))
    }

    /// What the model was compiled with, when it was.
    ///
    /// # Errors
    /// If it is not JSON.
    pub fn training_config(&self) -> Result<Option<Json>> {
        self.json("training_config")
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
        let in_model = self.names(WEIGHTS, "layer_names")?;
        let (root, names) = match in_model {
            Some(names) => (format!("{WEIGHTS}/"), names),
            // A file of weights only has the layers at its root.
            None => (String::new(), self.names("", "layer_names")?.unwrap_or_default()),
        };
        if names.is_empty() {
            return Err(self.refuse("no layers are listed in 'layer_names'"));
        }
        self.check_once(&names)?;
        names.into_iter().map(|name| self.layer(&root, name)).collect()
    }

    fn layer(&self, root: &str, name: String) -> Result<LegacyLayer> {
        let path = format!("{root}{name}");
        let names = self.names(&path, "weight_names")?.ok_or_else(|| {
            self.refuse(&format!("layer '{}' is listed, but has no weights group", quote(&name)))
        })?;
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
