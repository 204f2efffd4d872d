//! Files of `keras.utils.FeatureSpace`, recorded by `tests/keras/make_features.py`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use keraunos::models::PredictOptions;
use keraunos::saving::npz::read_npz;
use keraunos::{Device, Model, Tensor, load_model};

fn recorded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/features").join(name)
}

/// The recorded columns in the order of the model's inputs, and the answers by the outputs' names.
fn arrays(model: &Model, name: &str) -> (Vec<Tensor>, HashMap<String, Tensor>) {
    let arrays = read_npz(&recorded(&format!("{name}.npz"))).unwrap();
    let mut arrays: HashMap<String, Tensor> = arrays.into_iter().collect();
    let inputs = model.inputs().into_iter().map(|input| {
        let column = arrays.remove(&format!("x/{}", input.name));
        column.unwrap_or_else(|| panic!("no column '{}'", input.name))
    });
    (inputs.collect(), arrays)
}

fn check(model: &Model, name: &str, device: &Device) {
    let (x, mut expected) = arrays(model, name);
    let mut options = PredictOptions::on(device.clone());
    options.batch_size = Some(3);
    let found = model.predict_with(&x, &mut options).unwrap();
    assert_eq!(found.len(), expected.len());
    for (output, found) in model.outputs().into_iter().zip(found) {
        let expected = expected.remove(&format!("y/{}", output.name));
        let expected = expected.or_else(|| arrays(model, name).1.remove("y")).unwrap();
        assert_eq!(found.shape(), expected.shape(), "{}", output.name);
        let same = found.iter_f64().zip(expected.iter_f64()).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(same, "{name}: {}: {found:?} is not {expected:?}", output.name);
    }
}

#[test]
fn joined_and_named_features_are_keras_s_on_both_devices() {
    for name in ["concat", "dict"] {
        let model = load_model(recorded(&format!("{name}.keras"))).unwrap();
        check(&model, name, &Device::Host);
        check(&model, name, &Device::open("gpu").unwrap());
    }
}

#[test]
fn a_saved_space_is_the_one_that_was_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.keras");
    let model = load_model(recorded("concat.keras")).unwrap();
    model.save(&copy).unwrap();
    let loaded = load_model(&copy).unwrap();
    assert_eq!(loaded.config(), model.config());
    let paths = |model: &Model| -> Vec<String> {
        model.variables().into_iter().map(|(path, _)| path).collect()
    };
    let mean = "preprocessors/normalization/vars/0".to_owned();
    assert!(paths(&loaded).contains(&mean), "{:?}", paths(&loaded));
    assert_eq!(paths(&loaded), paths(&model));
    check(&loaded, "concat", &Device::Host);
}

#[test]
fn a_column_that_is_missing_is_named() {
    let model = load_model(recorded("concat.keras")).unwrap();
    let (x, _) = arrays(&model, "concat");
    let error = model.predict_with(&x[1..], &mut PredictOptions::on(Device::Host)).unwrap_err();
    assert!(error.to_string().contains("plain"), "{error}");
}
