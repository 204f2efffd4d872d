//! What a reader of Keras's files may stumble over, written by real Keras when the test runs; and the
//! manual's table of such traps, each of which names the test that holds it.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use keraunos::saving::npz::read_npz;
use keraunos::saving::{Archive, Limits};
use keraunos::{Device, Model, PredictOptions, Tensor, load_model};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The models with traps, in a folder; `None` where no Python was named.
fn traps() -> Option<tempfile::TempDir> {
    let python = common::python()?;
    let folder = tempfile::tempdir().unwrap();
    let script = root().join("tests/keras/make_traps.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(folder)
}

fn models(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_model = |path: &PathBuf| path.extension().is_some_and(|e| e == "keras" || e == "h5");
    entries.filter(is_model).collect()
}

/// The largest difference from Keras's predictions.
fn difference(model: &Model, path: &Path) -> f64 {
    let arrays = read_npz(&path.with_extension("npz")).unwrap();
    let named = |letter: char| {
        let found = arrays.iter().filter(move |(name, _)| name.starts_with(letter));
        found.map(|(_, tensor)| tensor.clone()).collect::<Vec<Tensor>>()
    };
    let found = model.predict_with(named('x'), &mut PredictOptions::on(Device::Host)).unwrap();
    assert_eq!(found.len(), named('y').len(), "{}", path.display());
    let mut worst = 0f64;
    for (found, expected) in found.iter().zip(named('y')) {
        assert_eq!(found.shape(), expected.shape(), "{}", path.display());
        for (f, e) in found.iter_f64().zip(expected.iter_f64()) {
            assert!(f.is_finite() && e.is_finite(), "{}: {f} and {e}", path.display());
            worst = worst.max((f - e).abs());
        }
    }
    worst
}

/// Every dataset of an archive with its path, and its config.
fn contents(path: &Path) -> (String, Vec<(String, Tensor)>) {
    let archive = Archive::open(path, &Limits::default()).unwrap();
    let store = archive.weights().unwrap();
    let group = |path: &String| {
        let group = store.group(path).unwrap().unwrap();
        let read = |(key, source): &(String, std::sync::Arc<dyn keraunos::base::Source>)| {
            (format!("{path}/{key}"), Tensor::from_source(source.as_ref()).unwrap())
        };
        group.datasets.iter().map(read).collect::<Vec<_>>()
    };
    let datasets = store.groups().iter().flat_map(group).collect();
    (keraunos::saving::json::to_python(&archive.config().unwrap()), datasets)
}

#[test]
fn what_keras_writes_is_read_with_its_traps() {
    let Some(folder) = traps() else { return };
    let models = models(folder.path());
    assert!(models.len() >= 10, "{} models", models.len());
    let again = folder.path().join("again.tmp.keras");
    for path in models {
        let model = load_model(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let is_half = path.file_stem().unwrap() == "mixed";
        let worst = difference(&model, &path);
        assert!(worst <= if is_half { 2e-3 } else { 1e-5 }, "{}: {worst}", path.display());
        if path.extension().unwrap() == "keras" {
            model.save(&again).unwrap();
            let (config, datasets) = contents(&path);
            let (new_config, new_datasets) = contents(&again);
            assert_eq!(new_config, config, "{}: the config", path.display());
            assert!(new_datasets == datasets, "{}: the datasets", path.display());
        }
    }
}

/// Rows `trap | test` between two marks of the manual.
fn rows() -> Vec<(String, String)> {
    let manual = std::fs::read_to_string(root().join("src/manual/formats.rs")).unwrap();
    let (_, rest) = manual.split_once("<!-- traps:start -->").expect("the start mark");
    let (table, _) = rest.split_once("<!-- traps:end -->").expect("the end mark");
    let row = |line: &str| {
        let mut cells = line.trim_start_matches("//!").trim().trim_matches('|').rsplit('|');
        let test = cells.next()?.trim().trim_matches('`').to_owned();
        Some((cells.next()?.trim().to_owned(), test))
    };
    table.lines().filter_map(row).skip(2).collect()
}

#[test]
fn every_trap_of_the_manual_names_a_test_that_exists() {
    let rows = rows();
    assert!(rows.len() >= 20, "{} traps", rows.len());
    for (trap, test) in rows {
        let (file, name) = test.split_once("::").unwrap_or_else(|| panic!("{trap}: {test}"));
        let text = std::fs::read_to_string(root().join(file));
        let text = text.unwrap_or_else(|e| panic!("{trap}: {file}: {e}"));
        let found = text.split("#[test]").skip(1).any(|after| {
            after.lines().take(4).any(|line| line.trim_start().starts_with(&format!("fn {name}(")))
        });
        assert!(found, "{trap}: {file} has no test {name}");
    }
}
