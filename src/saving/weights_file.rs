//! Files that hold weights only: `NAME.weights.h5`, and `NAME.weights.json` with its shards.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::base::error::quote;
use crate::base::{Error, Result, ResultExt};
use crate::saving::Limits;
use crate::saving::archive_writer::named;
use crate::saving::atomic::AtomicFile;
use crate::saving::bytes::{FileBytes, ReadAt, read_all};
use crate::saving::h5::{H5File, H5Writer};
use crate::saving::json::{self, Json};
use crate::saving::limits::check;
use crate::saving::store::{Group, GroupPlan, Store, compare_keys};

/// Opens a weights file: HDF5, or the index of a sharded one when `path` ends in `.json`.
///
/// # Errors
/// If the file, or a shard that the index names, is missing or damaged.
pub fn open_weights(path: &Path, limits: &Limits) -> Result<Box<dyn Store>> {
    if path.extension().is_some_and(|ending| ending == "json") {
        return Ok(Box::new(Shards::open(path, limits).at(|| path.display().to_string())?));
    }
    Ok(Box::new(open_h5(path, limits)?))
}

fn open_h5(path: &Path, limits: &Limits) -> Result<H5File> {
    let name = path.display().to_string();
    H5File::open(Arc::new(FileBytes::open(path)?), &name, limits)
}

/// Writes `NAME.weights.h5`; it appears in one step, when it is complete.
///
/// `progress` is given the bytes written so far and their total.
///
/// # Errors
/// As for [`write_archive`](crate::saving::write_archive).
pub fn write_weights(
    path: &Path,
    groups: &[GroupPlan],
    overwrite: bool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<()> {
    let writer = H5Writer::new(groups)?;
    let mut file = AtomicFile::create(path, overwrite)?;
    let mut progress = |done| progress(done, writer.len());
    writer.write_to(file.file(), &mut progress).map_err(|e| named(e, path))?;
    file.commit()
}

/// Weights spread over files beside an index.
struct Shards {
    files: Vec<H5File>,
    /// Which files hold parts of a group.
    groups: HashMap<String, Vec<usize>>,
}

impl Shards {
    fn open(path: &Path, limits: &Limits) -> Result<Shards> {
        let bytes = FileBytes::open(path)?;
        check(|| "the index of shards".into(), bytes.len(), limits.config_bytes, "config_bytes")?;
        let index = json::parse(&read_all(&bytes)?, "the index of shards", limits)?;
        let map = index.get("weight_map").and_then(Json::as_object);
        let map = map.ok_or_else(|| bad("it has no mapping 'weight_map'"))?;
        let mut shards = Shards { files: Vec::new(), groups: HashMap::new() };
        let mut known = HashMap::new();
        for (group, names) in map {
            let names = match names {
                Json::Array(names) => names.as_slice(),
                one => std::slice::from_ref(one),
            };
            for name in names {
                let name = name.as_str().ok_or_else(|| bad("a file name that is no text"))?;
                let file = shards.file(path, name, limits, &mut known)?;
                let group = group.trim_start_matches('/').to_string();
                shards.groups.entry(group).or_default().push(file);
            }
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
        if name.is_empty() || name == ".." || name.contains(['/', '\\', ':', '\0']) {
            return Err(bad(&format!("'{}' is not the name of a file beside it", quote(name))));
        }
        self.files.push(open_h5(&index.with_file_name(name), limits)?);
        known.insert(name, self.files.len() - 1);
        Ok(self.files.len() - 1)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    fn plan(path: &str, key: &str, value: f32) -> GroupPlan {
        let source = Arc::new(Tensor::scalar(value));
        GroupPlan { path: path.into(), name: None, datasets: vec![(key.into(), source)] }
    }

    #[test]
    fn shards_are_merged() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, plans: &[GroupPlan]| {
            write_weights(&folder.path().join(name), plans, false, &mut |_, _| {}).unwrap();
        };
        write("s_0.weights.h5", &[plan("a/vars", "0", 1.0), plan("b/vars", "1", 2.0)]);
        write("s_1.weights.h5", &[plan("b/vars", "0", 3.0)]);
        let index = folder.path().join("s.weights.json");
        let map = r#"{"metadata": {"total_size": 12.0}, "weight_map": {
            "/a/vars": "s_0.weights.h5", "/b/vars": ["s_0.weights.h5", "s_1.weights.h5"]}}"#;
        std::fs::write(&index, map).unwrap();
        let store = open_weights(&index, &Limits::default()).unwrap();
        assert_eq!(store.groups(), ["a/vars", "b/vars"]);
        let group = store.group("b/vars").unwrap().unwrap();
        let values: Vec<Tensor> =
            group.datasets.iter().map(|(_, s)| Tensor::from_source(s.as_ref()).unwrap()).collect();
        assert_eq!(values, [Tensor::scalar(3.0), Tensor::scalar(2.0)]);
        assert!(store.group("c/vars").unwrap().is_none());
    }

    #[test]
    fn an_index_names_files_beside_it_only() {
        let folder = tempfile::tempdir().unwrap();
        let index = folder.path().join("s.weights.json");
        for name in ["../s.weights.h5", "/s.weights.h5", "", "..", "C:s"] {
            std::fs::write(&index, format!(r#"{{"weight_map": {{"/vars": "{name}"}}}}"#)).unwrap();
            let message = open_weights(&index, &Limits::default()).err().unwrap().to_string();
            assert!(message.contains("beside it"), "{message}");
        }
    }
}
