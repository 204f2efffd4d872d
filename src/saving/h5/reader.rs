//! Reading HDF5 files: groups by path, datasets as sources.

use std::collections::VecDeque;
use std::sync::Arc;

use hdf5_pure::{AttrValue, Error as H5Error, FormatError};

use super::dataset;
use super::datatype::text;
use crate::base::error::quote;
use crate::base::{Error, Result, Source};
use crate::saving::Limits;
use crate::saving::bytes::ReadAt;
use crate::saving::limits::check;
use crate::saving::store::{Group, Store, compare_keys};

/// How deep groups are listed. Keras goes two levels down for each model or layer in another.
const MAX_DEPTH: usize = 64;

/// The name of the groups that hold variables.
const VARIABLES: &str = "vars";

/// An HDF5 file opened for reading.
///
/// Only what is asked for is looked at: objects nobody uses may be anything. Links are followed
/// within the file only, and only hard ones; whatever lies behind another kind of link is not there.
pub struct H5File {
    file: hdf5_pure::File,
    pub(super) bytes: Arc<dyn ReadAt>,
    pub(super) member: String,
    pub(super) limits: Limits,
}

/// Gives `hdf5_pure` the bytes.
struct Bytes(Arc<dyn ReadAt>);

impl hdf5_pure::Source for Bytes {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), FormatError> {
        self.0.read_at(offset, buf).map_err(|e| FormatError::Source(e.to_string()))
    }
}

impl H5File {
    /// Opens the file in `bytes`; `member` is its name in messages.
    ///
    /// # Errors
    /// [`Error::Hdf5`] if it is not an HDF5 file or its head is damaged.
    pub fn open(bytes: Arc<dyn ReadAt>, member: &str, limits: &Limits) -> Result<H5File> {
        let error = |what| Error::Hdf5 { member: member.into(), what };
        let file = hdf5_pure::File::from_source(Bytes(bytes.clone()));
        let file = file.map_err(|e| error(quote(&e.to_string())))?;
        let (expected, found) = (file.superblock().eof_address, bytes.len());
        if expected > found {
            return Err(error(format!("the file is cut: {found} bytes of {expected}")));
        }
        Ok(H5File { file, bytes, member: member.into(), limits: limits.clone() })
    }

    /// An error about the object at a path.
    pub(super) fn error(&self, path: &str, what: &str) -> Error {
        let what = format!("'/{}' {what}", quote(path));
        Error::Hdf5 { member: self.member.clone(), what }
    }

    /// The object at a path cannot be read.
    pub(super) fn damaged(&self, path: &str, error: &H5Error) -> Error {
        self.error(path, &format!("cannot be read: {}", quote(&error.to_string())))
    }

    fn find(&self, path: &str) -> Result<Option<hdf5_pure::Group>> {
        if path.is_empty() {
            return Ok(Some(self.file.root()));
        }
        match self.file.group(path) {
            Ok(group) => Ok(Some(group)),
            Err(H5Error::Format(FormatError::PathNotFound(_))) => Ok(None),
            Err(e) => Err(self.damaged(path, &e)),
        }
    }

    /// The dataset at a path; `None` if there is none.
    ///
    /// # Errors
    /// If it is damaged or not a tensor.
    pub fn dataset(&self, path: &str) -> Result<Option<Arc<dyn Source>>> {
        match self.file.dataset(path) {
            Ok(found) => dataset::open(self, path, found).map(Some),
            Err(H5Error::Format(FormatError::PathNotFound(_))) => Ok(None),
            Err(e) => Err(self.damaged(path, &e)),
        }
    }

    /// The texts in an attribute of the group at a path (the root is `""`): one for a string, any
    /// number for an array of strings; `None` if there is no such group or attribute.
    ///
    /// # Errors
    /// If it is damaged or holds something else.
    pub fn texts(&self, path: &str, attribute: &str) -> Result<Option<Vec<String>>> {
        let Some(group) = self.find(path)? else { return Ok(None) };
        let attributes = group.attrs().map_err(|e| self.damaged(path, &e))?;
        let Some(value) = attributes.get(attribute) else { return Ok(None) };
        // NumPy has no empty list of texts, so Keras writes an empty one of numbers.
        if matches!(value, AttrValue::F64Array(numbers) if numbers.is_empty()) {
            return Ok(Some(Vec::new()));
        }
        let texts = value.as_strings().map(<[String]>::to_vec);
        let texts = texts.or_else(|| text(value).map(|text| vec![text]));
        let not_text =
            || self.error(path, &format!("has an attribute '{attribute}' that is not text"));
        texts.ok_or_else(not_text).map(Some)
    }
}

impl Store for H5File {
    fn group(&self, path: &str) -> Result<Option<Group>> {
        let Some(group) = self.find(path)? else { return Ok(None) };
        let found = group.iter_datasets().map_err(|e| self.damaged(path, &e))?;
        let what = || format!("datasets in the group '{}'", quote(path));
        check(what, found.len() as u64, self.limits.h5_datasets as u64, "h5_datasets")?;
        let mut datasets = Vec::with_capacity(found.len());
        for (key, found) in found {
            let source = dataset::open(self, &format!("{path}/{key}"), found)?;
            datasets.push((key, source));
        }
        datasets.sort_by(|(a, _), (b, _)| compare_keys(a, b));
        let mut groups = group.iter_groups().map_err(|e| self.damaged(path, &e))?;
        if let Some((key, _)) = groups.next() {
            return Err(self.error(&format!("{path}/{key}"), "is a group, expected a variable"));
        }
        // The name is for messages only, so one that cannot be read is no reason to refuse.
        let name = group.attrs().ok().and_then(|attributes| text(attributes.get("name")?));
        Ok(Some(Group { name, datasets }))
    }

    fn groups(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut pending = VecDeque::from([(String::new(), self.file.root())]);
        // Hard links can make circles, hence the bounds on visits and depth. Going level by level, the groups
        // of an honest model come before the endless ones.
        for _visit in 0..self.limits.h5_groups {
            let Some((path, group)) = pending.pop_front() else { break };
            if path.split('/').count() < MAX_DEPTH
                && let Ok(children) = group.iter_groups()
            {
                let room = self.limits.h5_groups.saturating_sub(pending.len());
                let at = |name| if path.is_empty() { name } else { format!("{path}/{name}") };
                pending.extend(children.take(room).map(|(name, child)| (at(name), child)));
            }
            if path.rsplit('/').next() == Some(VARIABLES) {
                found.push(path);
            }
        }
        found.sort_by(|a, b| a.split('/').cmp(b.split('/')));
        found
    }
}
