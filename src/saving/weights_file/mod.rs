//! Files that hold weights only: `NAME.weights.h5`, and `NAME.weights.json` with its shards.

mod plan;
mod shards;
mod write_shards;

use std::path::Path;
use std::sync::Arc;

use crate::base::{Result, ResultExt};
use crate::saving::Limits;
use crate::saving::archive::npz_weights;
use crate::saving::atomic::{AtomicFile, Replace};
use crate::saving::bytes::FileBytes;
use crate::saving::file_system::{Disk, FileSystem};
use crate::saving::h5::{H5File, H5Writer};
use crate::saving::store::{GroupPlan, Store};

pub use plan::ShardSize;
use shards::Shards;
pub use shards::shard_names;
pub use write_shards::write_shards;
#[cfg(test)]
pub(super) use write_shards::write_shards_on;

/// Opens a weights file: HDF5, or the index of a sharded one when `path` ends in `.json`.
///
/// # Errors
/// If the file, or a shard that the index names, is missing or damaged, or the file is an `.npz`, in
/// which Keras would have put pickles.
pub fn open_weights(path: &Path, limits: &Limits) -> Result<Box<dyn Store>> {
    let ends = |ending: &str| path.extension().is_some_and(|found| found == ending);
    if ends("npz") {
        return Err(npz_weights(&path.display().to_string()));
    }
    if ends("json") {
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
    replace: Replace,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<()> {
    write_weights_on(&Disk, path, groups, replace, progress)
}

/// [`write_weights`] on any file system.
pub(super) fn write_weights_on(
    files: &dyn FileSystem,
    path: &Path,
    groups: &[GroupPlan],
    replace: Replace,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<()> {
    let writer = H5Writer::new(groups)?;
    let mut file = AtomicFile::create(files, path, replace)?;
    let mut progress = |done| progress(done, writer.len());
    file.write(|out| writer.write_to(out, &mut progress))?;
    file.commit()
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
            write_weights(&folder.path().join(name), plans, Replace::default(), &mut |_, _| {})
                .unwrap();
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
    fn a_set_of_shards_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let index = folder.path().join("s.weights.json");
        let write = |value, overwrite| {
            let plans = [plan("a/vars", "0", value), plan("b/vars", "0", value)];
            let size = ShardSize { bytes: 4, whole_objects: false };
            let replace = Replace { overwrite, verify: true };
            write_shards(&index, &plans, size, replace, &mut |_, _| {})
        };
        let names = || {
            let items = std::fs::read_dir(folder.path()).unwrap();
            let name = |item: std::io::Result<std::fs::DirEntry>| item.unwrap().file_name();
            let mut names: Vec<_> = items.map(|item| name(item).into_string().unwrap()).collect();
            names.sort();
            names
        };
        std::fs::write(folder.path().join("other.weights.h5"), b"").unwrap();
        for (value, shard) in [(1.0, "s_0000"), (2.0, "s.1_0000"), (3.0, "s_0000")] {
            write(value, true).unwrap();
            let [first, second] = [0, 1].map(|i| format!("{shard}{i}.weights.h5"));
            let mut expected = vec!["other.weights.h5".into(), "s.weights.json".into()];
            expected.extend([first, second]);
            expected.sort();
            assert_eq!(names(), expected);
            let group = open_weights(&index, &Limits::default()).unwrap().group("b/vars").unwrap();
            let (_, source) = &group.unwrap().datasets[0];
            assert_eq!(Tensor::from_source(source.as_ref()).unwrap(), Tensor::scalar(value));
        }
        assert!(write(4.0, false).unwrap_err().to_string().contains("overwriting"));
        std::fs::remove_file(&index).unwrap();
        assert!(write(4.0, false).unwrap_err().to_string().contains("overwriting"));
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
