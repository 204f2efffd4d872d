//! Reading weights that are spread over files.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::open_h5;
use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::saving::Limits;
use crate::saving::bytes::{FileBytes, ReadAt, read_all};
use crate::saving::h5::H5File;
use crate::saving::json::{self, Json};
use crate::saving::limits::check;
use crate::saving::store::{Group, Store, compare_keys};

/// Weights spread over files beside an index.
pub(super) struct Shards {
    files: Vec<H5File>,
    /// Which files hold parts of a group.
    groups: HashMap<String, Vec<usize>>,
}

impl Shards {
    /// Opens the index at `path` and the files beside it that it names.
    pub(super) fn open(path: &Path, limits: &Limits) -> Result<Shards> {
        let index = read_index(path, limits)?;
        let mut shards = Shards { files: Vec::new(), groups: HashMap::new() };
        let mut known = HashMap::new();
        for (group, name) in entries(&index)? {
            let file = shards.file(path, name, limits, &mut known)?;
            let group = group.trim_start_matches('/').to_string();
            shards.groups.entry(group).or_default().push(file);
        }
        Ok(shards)
    }

    /// The number of the shard of this name, opened the first time.
    fn file<'a>(
        &mut self,
        index: &Path,
        name: &'a str,
        limits: &Limits,
        known: &mut HashMap<&'a str, usize>,
    ) -> Result<usize> {
        if let Some(&file) = known.get(name) {
            return Ok(file);
        }
        self.files.push(open_h5(&index.with_file_name(name), limits)?);
        known.insert(name, self.files.len() - 1);
        Ok(self.files.len() - 1)
    }
}

/// The files that the index at `path` names, in its order, each once.
///
/// # Errors
/// If it is no index, or names a file anywhere but beside it.
pub fn shard_names(path: &Path, limits: &Limits) -> Result<Vec<String>> {
    let index = read_index(path, limits)?;
    let mut seen = HashSet::new();
    let names = entries(&index)?.into_iter().map(|(_, name)| name);
    Ok(names.filter(|name| seen.insert(*name)).map(str::to_owned).collect())
}

fn read_index(path: &Path, limits: &Limits) -> Result<Json> {
    const NAME: &str = "the index of shards";
    let bytes = FileBytes::open(path)?;
    check(|| NAME.into(), bytes.len(), limits.config_bytes, "config_bytes")?;
    json::parse(&read_all(&bytes)?, NAME, limits)
}

/// The groups of an index and the files that hold parts of them.
///
/// # Errors
/// If it is no index, or names a file anywhere but beside it.
pub(super) fn entries(index: &Json) -> Result<Vec<(&str, &str)>> {
    let map = index.get("weight_map").and_then(Json::as_object);
    let map = map.ok_or_else(|| bad("it has no mapping 'weight_map'"))?;
    let mut entries = Vec::new();
    for (group, names) in map {
        let names = match names {
            Json::Array(names) => names.as_slice(),
            one => std::slice::from_ref(one),
        };
        for name in names {
            let name = name.as_str().ok_or_else(|| bad("a file name that is no text"))?;
            if name.is_empty() || name == ".." || name.contains(['/', '\\', ':', '\0']) {
                return Err(bad(&format!("'{}' is not the name of a file beside it", quote(name))));
            }
            entries.push((group.as_str(), name));
        }
    }
    Ok(entries)
}

fn bad(what: &str) -> Error {
    Error::Weights(format!("the index of shards cannot be used: {what}"))
}

impl Store for Shards {
    fn group(&self, path: &str) -> Result<Option<Group>> {
        let Some(files) = self.groups.get(path) else { return Ok(None) };
        let mut merged = Group { name: None, datasets: Vec::new() };
        for &file in files {
            let Some(part) = self.files[file].group(path)? else { continue };
            merged.name = merged.name.or(part.name);
            merged.datasets.extend(part.datasets);
        }
        merged.datasets.sort_by(|(a, _), (b, _)| compare_keys(a, b));
        Ok(Some(merged))
    }

    fn groups(&self) -> Vec<String> {
        let mut paths: Vec<String> = self.groups.keys().cloned().collect();
        paths.sort_by(|a, b| a.split('/').cmp(b.split('/')));
        paths
    }
}
