//! Weights in every form that HDF5 can give them, written by h5py when the test runs, against what h5py
//! reads: byte orders, widths, layouts, filters, and all ways to find a chunk.

mod common;

use std::path::Path;
use std::process::Command;

use keraunos::saving::npz::read_npz;
use keraunos::saving::{Limits, Store, open_weights};
use keraunos::{Error, Tensor};

/// The forms, in a folder; `None` where no Python was named.
fn forms() -> Option<tempfile::TempDir> {
    let python = common::python()?;
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keras/make_h5_forms.py");
    let status = Command::new(python).arg(script).arg(folder.path()).status().unwrap();
    assert!(status.success());
    Some(folder)
}

/// The dataset at a path, read as a whole.
fn read(store: &dyn Store, path: &str) -> Result<Tensor, Error> {
    let (group, key) = path.rsplit_once('/').unwrap();
    let group = store.group(group)?.expect("the group");
    let (_, source) = group.datasets.iter().find(|(found, _)| found == key).expect("the dataset");
    Tensor::from_source(source.as_ref())
}

/// Files ending in `.h5` with what h5py read from them, by path.
fn pairs(folder: &Path) -> Vec<(std::path::PathBuf, Vec<(String, Tensor)>)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|ending| ending == "h5"));
    let arrays = |path: &Path| {
        let name = path.file_name().unwrap().to_str().unwrap().replace(".weights.h5", ".npz");
        read_npz(&folder.join(name)).unwrap()
    };
    files.map(|path| (path.clone(), arrays(&path))).collect()
}

#[test]
fn every_form_holds_what_h5py_reads() {
    let Some(folder) = forms() else { return };
    let pairs = pairs(folder.path());
    assert!(pairs.len() > 20, "{} forms", pairs.len());
    for (path, arrays) in pairs {
        let store = open_weights(&path, &Limits::default()).unwrap();
        assert_eq!(store.groups().len(), 4, "{}", path.display());
        for (key, expected) in arrays {
            let found = read(store.as_ref(), &key);
            let found = found.unwrap_or_else(|e| panic!("{} {key}: {e}", path.display()));
            assert_eq!(found, expected, "{} {key}", path.display());
        }
    }
}

/// One bit after the other of the trees of chunks: what stands under a checksum is never believed
/// wrongly, and data under Fletcher's is not either.
#[test]
fn a_flipped_bit_of_a_tree_is_an_error_or_nothing() {
    let Some(folder) = forms() else { return };
    for name in ["tree_all_filters", "tree_deep_fletcher32"] {
        let path = folder.path().join(format!("{name}.weights.h5"));
        let arrays = read_npz(&folder.path().join(format!("{name}.npz"))).unwrap();
        let honest = std::fs::read(&path).unwrap();
        let damaged = folder.path().join("damaged.weights.h5");
        let places = tree_bytes(&honest);
        assert!(places.len() > 100, "{name}: {} bytes of trees", places.len());
        let mut refused = 0;
        for (round, at) in places.into_iter().enumerate().step_by(7) {
            let mut bytes = honest.clone();
            bytes[at] ^= 1 << (round % 8);
            std::fs::write(&damaged, bytes).unwrap();
            let store = open_weights(&damaged, &Limits::default()).unwrap();
            for (key, expected) in &arrays {
                match read(store.as_ref(), key) {
                    Ok(found) => assert_eq!(&found, expected, "{name} {key}, byte {at}"),
                    Err(error) => {
                        assert!(error.is_refusal(), "{error}");
                        refused += 1;
                    }
                }
            }
        }
        assert!(refused > 50, "{name}: {refused} refusals");
    }
}

/// Where headers and nodes of version 2 B-trees stand: the used front of each.
fn tree_bytes(file: &[u8]) -> Vec<usize> {
    const USED: usize = 100;
    let starts = (0..file.len() - USED).filter(|&at| {
        [b"BTHD", b"BTIN", b"BTLF"].iter().any(|signature| file[at..].starts_with(*signature))
    });
    starts.flat_map(|at| at..at + USED).collect()
}

#[test]
fn a_cut_tree_is_refused() {
    let Some(folder) = forms() else { return };
    let path = folder.path().join("tree_gzip.weights.h5");
    let honest = std::fs::read(&path).unwrap();
    for end in (0..honest.len()).step_by(honest.len() / 200) {
        std::fs::write(&path, &honest[..end]).unwrap();
        assert!(open_weights(&path, &Limits::default()).is_err(), "cut to {end} bytes");
    }
}
