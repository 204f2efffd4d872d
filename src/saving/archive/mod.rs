//! Reading `.keras` archives, and the directory form that `zipped=False` gives.

mod checked;
mod directory;
mod entry;
mod folder;
mod member;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::base::error::quote;
use crate::base::{Error, Result, ResultExt};
use crate::saving::Limits;
use crate::saving::bytes::{FileBytes, ReadAt, read_all};
use crate::saving::h5::H5File;
use crate::saving::json::{self, Json};
use crate::saving::limits::check;
use crate::saving::store::Store;

pub(crate) const CONFIG: &str = "config.json";
pub(crate) const METADATA: &str = "metadata.json";
pub(crate) const WEIGHTS: &str = "model.weights.h5";
pub(crate) const ASSETS: &str = "assets/";
/// Weights as an internal function of Keras can write them.
pub(crate) const NPZ_WEIGHTS: &str = "model.weights.npz";

/// The error for weights in NumPy's format. Keras puts its variables into them as pickled Python
/// objects, with all that their class and backend had, and no version of it has loaded them again.
pub(crate) fn npz_weights(name: &str) -> Error {
    Error::Unsupported(format!(
        "weights in '{}', which hold Python pickles: they are never unpickled, and Keras itself \
         cannot load them; save the model with its weights in HDF5",
        quote(name)
    ))
}

/// One member of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The name; parts are separated by `/`.
    pub name: String,
    /// How the bytes are packed.
    pub method: Method,
    /// Number of bytes, unpacked.
    pub bytes: u64,
    /// Number of bytes in the archive.
    pub compressed: u64,
}

/// How a member's bytes are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// As they are.
    Stored,
    /// Deflated, as zip programs do.
    Deflated,
    /// A method that is not read, by its number in the zip format.
    Other(u16),
}

/// A Keras model file, opened for reading.
///
/// Opening reads the directory of the archive and checks that it can be understood in one way only:
/// both headers of every member agree, no bytes belong to two members, no name occurs twice or
/// leaves the archive. Members are read when asked for, and their CRC-32 is checked before a byte
/// of them is believed.
pub struct Archive {
    form: Form,
    members: Vec<Member>,
    by_name: HashMap<String, usize>,
    limits: Limits,
}

enum Form {
    Zip { source: Arc<dyn ReadAt>, entries: Vec<entry::Entry> },
    Folder(folder::Folder),
}

impl Archive {
    /// Opens a `.keras` file, or a folder that holds `config.json`.
    ///
    /// # Errors
    /// [`Error::Io`] when the system refuses, [`Error::Archive`] when it is no archive or could
    /// mean two things, [`Error::Limit`] when it asks for too much.
    pub fn open(path: &Path, limits: &Limits) -> Result<Archive> {
        if path.is_dir() {
            let (folder, members) = folder::Folder::open(path, limits)?;
            return Ok(Archive::new(Form::Folder(folder), members, limits));
        }
        let source = Arc::new(FileBytes::open(path)?);
        Archive::from_source(source, limits).at(|| path.display().to_string())
    }

    /// Opens a zip archive anywhere.
    ///
    /// # Errors
    /// As [`Archive::open`].
    pub fn from_source(source: Arc<dyn ReadAt>, limits: &Limits) -> Result<Archive> {
        let entries = directory::read(source.as_ref(), limits)?;
        let members = entries.iter().map(entry::Entry::member).collect();
        Ok(Archive::new(Form::Zip { source, entries }, members, limits))
    }

    fn new(form: Form, members: Vec<Member>, limits: &Limits) -> Archive {
        let by_name = members.iter().enumerate().map(|(i, m)| (m.name.clone(), i)).collect();
        Archive { form, members, by_name, limits: limits.clone() }
    }

    /// All members, in the order of the directory.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The model's configuration, `config.json`.
    ///
    /// # Errors
    /// If there is none, it is damaged, or it is not JSON.
    pub fn config(&self) -> Result<Json> {
        let bytes = self.bytes(CONFIG, self.limits.config_bytes, "config_bytes")?;
        json::parse(&bytes, CONFIG, &self.limits)
    }

    /// The contents of `metadata.json`; nothing if it is not there or not JSON, as Keras never reads it.
    ///
    /// # Errors
    /// If it is damaged or too large.
    pub fn metadata(&self) -> Result<Option<Json>> {
        if self.find(METADATA).is_none() {
            return Ok(None);
        }
        let bytes = self.bytes(METADATA, self.limits.metadata_bytes, "metadata_bytes")?;
        let metadata = json::parse(&bytes, METADATA, &self.limits);
        if let Err(error) = &metadata {
            log::warn!("left out: {error}");
        }
        Ok(metadata.ok())
    }

    /// The weights. They stay in the archive and are read when asked for.
    ///
    /// Deflated weights are inflated first, to an anonymous temporary file when they are large.
    ///
    /// # Errors
    /// If there are none, or they are damaged, or not HDF5.
    pub fn weights(&self) -> Result<Box<dyn Store>> {
        self.check_form()?;
        Ok(Box::new(H5File::open(self.member(WEIGHTS)?, WEIGHTS, &self.limits)?))
    }

    /// The weights, as [`weights`](Archive::weights) gives them, but nothing of them is read, and their
    /// checksum is compared when they are first used: whoever reads a [`Source`](crate::base::Source) of
    /// them then gets the error from its [`check`](crate::base::Source::check).
    ///
    /// # Errors
    /// If there are none, or they are not HDF5.
    pub fn weights_on_use(&self) -> Result<Box<dyn Store>> {
        self.check_form()?;
        let bytes = self.open_member(WEIGHTS)?;
        match H5File::open(bytes.clone(), WEIGHTS, &self.limits) {
            Ok(file) => Ok(Box::new(file)),
            // Damage is the better explanation of whatever is wrong.
            Err(error) => Err(bytes.check().err().unwrap_or(error)),
        }
    }

    /// Refuses weights in a form that is none of Keras's.
    fn check_form(&self) -> Result<()> {
        if self.find(WEIGHTS).is_none() && self.find(NPZ_WEIGHTS).is_some() {
            return Err(npz_weights(NPZ_WEIGHTS));
        }
        Ok(())
    }

    /// The paths of all assets, below `assets/`.
    pub fn assets(&self) -> Vec<&str> {
        let names = self.members.iter().filter_map(|m| m.name.strip_prefix(ASSETS));
        names.filter(|name| !name.is_empty() && !name.ends_with('/')).collect()
    }

    /// The bytes of the asset at a path below `assets/`, such as
    /// `layers/string_lookup/vocabulary.txt`.
    ///
    /// # Errors
    /// If there is none, or it is damaged.
    pub fn asset(&self, path: &str) -> Result<Vec<u8>> {
        self.bytes(&format!("{ASSETS}{path}"), self.limits.asset_bytes, "asset_bytes")
    }

    /// Random access to the bytes of a member, already checked.
    pub(crate) fn member(&self, name: &str) -> Result<Arc<dyn ReadAt>> {
        let bytes = self.open_member(name)?;
        bytes.check()?;
        Ok(bytes)
    }

    /// Random access to the bytes of a member, to be checked before they are used.
    fn open_member(&self, name: &str) -> Result<Arc<dyn ReadAt>> {
        let index = self.find(name).ok_or_else(|| self.missing(name))?;
        match &self.form {
            Form::Zip { source, entries } => {
                entries[index].open(source, &self.limits).at(|| format!("member '{}'", quote(name)))
            }
            Form::Folder(folder) => folder.open_file(name),
        }
    }

    fn bytes(&self, name: &str, limit: u64, field: &str) -> Result<Vec<u8>> {
        if let Some(index) = self.find(name) {
            let what = || format!("member '{}' in bytes", quote(name));
            check(what, self.members[index].bytes, limit, field)?;
        }
        read_all(self.member(name)?.as_ref())
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    fn missing(&self, name: &str) -> Error {
        let there: Vec<&str> = self.members.iter().take(8).map(|m| m.name.as_str()).collect();
        Error::Archive(format!(
            "no member '{}'; there are {} members, such as '{}'",
            quote(name),
            self.members.len(),
            quote(&there.join("', '"))
        ))
    }
}
