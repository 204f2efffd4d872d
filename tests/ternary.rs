//! Weights of -1, 0 and 1, as Keras 3.16 has them: its own files, which `tests/keras/make_ternary.py`
//! made, predicted from, trained, and saved again.

mod common;

use std::path::{Path, PathBuf};

use common::{assert_close, gpu};
use keraunos::saving::npz::read_npz;
use keraunos::trainers::Data;
use keraunos::{Device, PredictOptions, Tensor, load_model};

const MODELS: [&str; 4] = ["trained", "half", "frozen", "dense"];
/// Half precision has its own rounding in every step of a product.
const TOLERANCE: f64 = 1e-5;

fn file(name: &str, suffix: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/ternary");
    folder.join(name).with_extension(suffix)
}

fn recorded(name: &str, letter: char) -> Vec<Tensor> {
    let arrays = read_npz(&file(name, "npz")).unwrap();
    arrays.into_iter().filter(|(key, _)| key.starts_with(letter)).map(|(_, array)| array).collect()
}

#[test]
fn predictions_are_those_of_keras() {
    for device in [gpu(), Device::Host] {
        for name in MODELS {
            let model = load_model(file(name, "keras")).unwrap();
            let mut options = PredictOptions::on(device.clone());
            let found = model.predict_with(recorded(name, 'x'), &mut options).unwrap();
            let expected = recorded(name, 'y').remove(0).cast(found[0].dtype());
            assert_close(&found[0], &expected, TOLERANCE, name);
        }
    }
}

#[test]
fn steps_change_the_floats_behind_the_weights_as_in_keras() {
    let data = Data::new(&recorded("trained", 'x'), &recorded("trained", 't'));
    for device in [gpu(), Device::Host] {
        let mut model = load_model(file("trained", "keras")).unwrap();
        for _ in 0..2 {
            model.train_on_batch(&data, &device).unwrap();
        }
        let expected = recorded("trained", 'w');
        let weights = model.variables();
        assert_eq!(weights.len(), expected.len());
        for ((path, variable), expected) in weights.iter().zip(&expected) {
            assert_close(&variable.value().unwrap(), expected, TOLERANCE, path);
        }
    }
}

#[test]
fn packed_weights_are_saved_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["frozen", "dense"] {
        let model = load_model(file(name, "keras")).unwrap();
        let copy = folder.path().join(name).with_extension("keras");
        model.save(&copy).unwrap();
        let copy = load_model(&copy).unwrap();
        let x = recorded(name, 'x');
        assert_eq!(model.predict(&x).unwrap(), copy.predict(&x).unwrap(), "{name}");
        for ((path, before), (_, after)) in model.variables().iter().zip(copy.variables()) {
            assert_eq!(before.value().unwrap(), after.value().unwrap(), "{name}: {path}");
        }
    }
}
