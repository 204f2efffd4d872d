//! Files that hold weights only: `NAME.weights.h5`, and `NAME.weights.json` with its shards.

use std::collections::HashMap;
use std::io::Write as _;
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

/// Writes `NAME.weights.json` and the shards that it lists, `NAME_00000.weights.h5`..., as Keras does:
/// variables in order, a new shard where the next one would make a shard's data larger than
/// `max_bytes`.
///
/// All files are complete before the first takes its place, and the index takes its place last.
///
/// # Errors
/// [`Error::Invalid`] if one variable is larger than a shard; otherwise as [`write_weights`].
pub fn write_shards(
    index: &Path,
    groups: &[GroupPlan],
    max_bytes: u64,
    overwrite: bool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<()> {
    let stem = index.file_name().map(|name| name.to_string_lossy().into_owned());
    let stem = stem.as_deref().and_then(|name| name.strip_suffix(".weights.json"));
    let stem = stem.ok_or_else(|| {
        let name = index.display();
        Error::Invalid(format!("'{name}': an index of shards is named NAME.weights.json"))
    })?;
    let plan = ShardPlan::new(groups, max_bytes, stem)?;
    let writers: Vec<H5Writer> =
        plan.shards.iter().map(|(_, groups)| H5Writer::new(groups)).collect::<Result<_>>()?;
    let total = writers.iter().fold(0, |sum, writer| sum + writer.len());
    let mut index_file = AtomicFile::create(index, overwrite)?;
    let text = plan.index();
    index_file.file().write_all(text.as_bytes()).map_err(|e| Error::io(index, e))?;
    let mut files = Vec::with_capacity(writers.len());
    let mut before = 0;
    for ((name, _), writer) in plan.shards.iter().zip(&writers) {
        let path = index.with_file_name(name);
        let mut file = AtomicFile::create(&path, overwrite)?;
        let mut progress = |done| progress(before + done, total);
        writer.write_to(file.file(), &mut progress).map_err(|e| named(e, &path))?;
        before += writer.len();
        files.push(file);
    }
    files.push(index_file);
    files.into_iter().try_for_each(AtomicFile::commit)
}

/// Which variables go into which shard.
struct ShardPlan {
    /// Names and contents.
    shards: Vec<(String, Vec<GroupPlan>)>,
    total_bytes: u64,
}

impl ShardPlan {
    fn new(groups: &[GroupPlan], max_bytes: u64, stem: &str) -> Result<ShardPlan> {
        let mut plan = ShardPlan { shards: Vec::new(), total_bytes: 0 };
        plan.add_shard(stem);
        let mut bytes = 0;
        for group in groups {
            let mut name = group.name.clone();
            plan.add_group(&group.path, name.take());
            for (key, source) in &group.datasets {
                let size = source.spec().bytes() as u64;
                if size > max_bytes {
                    return Err(Error::Invalid(format!(
                        "variable '{}/{key}' takes {size} bytes, more than a shard of {max_bytes}; \
                         allow larger shards",
                        quote(&group.path)
                    )));
                }
                if bytes + size > max_bytes {
                    plan.add_shard(stem);
                    plan.add_group(&group.path, None);
                    bytes = 0;
                }
                bytes += size;
                plan.total_bytes += size;
                if let Some(group) =
                    plan.shards.last_mut().and_then(|(_, groups)| groups.last_mut())
                {
                    group.datasets.push((key.clone(), source.clone()));
                }
            }
        }
        Ok(plan)
    }

    fn add_shard(&mut self, stem: &str) {
        let name = format!("{stem}_{:05}.weights.h5", self.shards.len());
        self.shards.push((name, Vec::new()));
    }

    fn add_group(&mut self, path: &str, name: Option<String>) {
        if let Some((_, groups)) = self.shards.last_mut() {
            groups.push(GroupPlan { path: path.into(), name, datasets: Vec::new() });
        }
    }

    /// The text of the index, as Keras formats it.
    fn index(&self) -> String {
        let mut map: Vec<(&str, Vec<&str>)> = Vec::new();
        for (shard, groups) in &self.shards {
            for group in groups.iter().filter(|group| !group.datasets.is_empty()) {
                match map.last_mut().filter(|(path, _)| *path == group.path) {
                    Some((_, shards)) => shards.push(shard),
                    None => map.push((&group.path, vec![shard])),
                }
            }
        }
        let text = |text: &str| json::to_python(&Json::from(text));
        let entry = |(path, shards): &(&str, Vec<&str>)| {
            let path = text(&format!("/{path}"));
            match shards.as_slice() {
                [one] => format!("        {path}: {}", text(one)),
                many => {
                    let items: Vec<String> =
                        many.iter().map(|name| format!("            {}", text(name))).collect();
                    format!("        {path}: [\n{}\n        ]", items.join(",\n"))
                }
            }
        };
        let entries: Vec<String> = map.iter().map(entry).collect();
        let total = json::to_python(&json::from_float(self.total_bytes as f64));
        let map = match entries.as_slice() {
            [] => "{}".into(),
            _ => format!("{{\n{}\n    }}", entries.join(",\n")),
        };
        format!(
            "{{\n    \"metadata\": {{\n        \"total_size\": {total}\n    }},\n    \
             \"weight_map\": {map}\n}}"
        )
    }
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
