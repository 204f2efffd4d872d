//! Layers of a file that train or do not from now on.

use keraunos::layers::{BatchNormalization, Dense};
use keraunos::tensor::Tensor;
use keraunos::trainers::{Compile, Data, FitOptions};
use keraunos::{Device, LoadOptions, Model, Sequential, load_model, load_model_with};

fn changed(trainable: &[(&str, bool)]) -> LoadOptions {
    let trainable = trainable.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    LoadOptions { trainable, ..LoadOptions::default() }
}

/// A trained model's file, and the folder it lies in.
fn file() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.keras");
    let mut model = Sequential::new([3])
        .add(Dense::new(4).name("first"))
        .add(BatchNormalization::new().name("normal"))
        .add(Dense::new(2).name("last"))
        .build()
        .unwrap();
    model.compile(Compile::new("adam").loss("mse")).unwrap();
    train(&mut model);
    model.save(&path).unwrap();
    (folder, path)
}

fn train(model: &mut Model) {
    let x: Vec<f32> = (0..24).map(|i| (i % 7) as f32 - 3.0).collect();
    let y: Vec<f32> = (0..16).map(|i| (i % 3) as f32).collect();
    let x = Tensor::new([8, 3], &x).unwrap();
    let y = Tensor::new([8, 2], &y).unwrap();
    let mut options = FitOptions { batch_size: Some(4), ..FitOptions::on(Device::Host) };
    model.fit(&Data::new(&[x], &[y]), &mut options).unwrap();
}

/// All weights by their paths in a file.
fn weights(model: &Model) -> Vec<(String, Vec<u8>)> {
    let weights = model.variables().into_iter();
    weights.map(|(path, v)| (path, v.value().unwrap().bytes().to_vec())).collect()
}

/// The weights that a training changes, by their paths.
fn moved(model: &mut Model) -> Vec<String> {
    let before = weights(model);
    train(model);
    let after = weights(model);
    let pairs = before.into_iter().zip(after).filter(|(old, new)| old.1 != new.1);
    pairs.map(|(old, _)| old.0).collect()
}

#[test]
fn frozen_layers_keep_their_weights_and_are_saved_as_frozen() {
    let (folder, path) = file();
    let options = changed(&[("first", false), ("normal", false)]);
    let mut model = load_model_with(&path, &options).unwrap();
    let only_last = ["layers/dense_1/vars/0", "layers/dense_1/vars/1"];
    assert_eq!(moved(&mut model), only_last);
    let again = folder.path().join("again.keras");
    model.save(&again).unwrap();
    // The file says so from now on, and its optimizer is that of the weights that train.
    assert_eq!(moved(&mut load_model(&again).unwrap()), only_last);
    let mut thawed = load_model_with(&again, &changed(&[("first", true)])).unwrap();
    let first = ["layers/dense/vars/0", "layers/dense/vars/1"];
    assert_eq!(moved(&mut thawed), [first, only_last].concat());
}

#[test]
fn a_layer_that_is_not_there_is_an_error_that_names_those_that_are() {
    let (_folder, path) = file();
    let error = load_model_with(&path, &changed(&[("frist", false)])).unwrap_err().to_string();
    assert!(error.contains("'frist'") && error.contains("first, normal, last"), "{error}");
}
