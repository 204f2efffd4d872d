//! Models that real Keras wrote: loaded, predicted on every executor, saved and loaded again.

mod common;

use std::path::{Path, PathBuf};

use common::{assert_close, gpu};
use keraunos::saving::npz::read_npz;
use keraunos::{Device, Model, Tensor, load_model};

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models");
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut models: Vec<_> =
        entries.filter(|p| p.extension().is_some_and(|e| e == "keras")).collect();
    models.sort();
    assert!(models.len() > 20, "the recorded models are in the repository");
    models
}

/// Recorded inputs and Keras's outputs.
fn recording(path: &Path) -> (Vec<Tensor>, Vec<Tensor>) {
    let arrays = read_npz(&path.with_extension("npz")).unwrap();
    let pick = |prefix: &str| {
        let mut found: Vec<_> =
            arrays.iter().filter(|(name, _)| name.starts_with(prefix)).cloned().collect();
        found.sort_by_key(|(name, _)| name[1..].parse::<usize>().unwrap());
        found.into_iter().map(|(_, tensor)| tensor).collect()
    };
    (pick("x"), pick("y"))
}

fn check(model: &Model, inputs: &[Tensor], expected: &[Tensor], device: &Device, what: &str) {
    let found = model.call(inputs, device).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_eq!(found.len(), expected.len(), "{what}");
    for (f, e) in found.iter().zip(expected) {
        assert_eq!(f.dtype(), e.dtype(), "{what}");
        assert_close(&f.in_parts(), &e.in_parts(), 2e-5, what);
    }
}

fn check_all(device: &Device) {
    let mut failures = Vec::new();
    for path in fixtures() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let (inputs, expected) = recording(&path);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let model = load_model(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
            check(&model, &inputs, &expected, device, &name);
            let folder = tempfile::tempdir().unwrap();
            let copy = folder.path().join("copy.keras");
            model.save(&copy).unwrap_or_else(|e| panic!("{name}: {e}"));
            let copy = load_model(&copy).unwrap_or_else(|e| panic!("{name}, saved: {e}"));
            check(&copy, &inputs, &expected, device, &format!("{name}, saved"));
        }));
        if result.is_err() {
            failures.push(name);
        }
    }
    assert!(failures.is_empty(), "models that failed: {failures:?}");
}

#[test]
fn recorded_models_on_the_host() {
    check_all(&Device::Host);
}

#[test]
fn recorded_models_on_the_gpu() {
    check_all(&gpu());
}
