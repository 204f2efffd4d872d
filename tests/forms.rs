//! Every form of a model file: what one form holds, the others hold too.

use std::path::Path;

use keraunos::saving::Replace;
use keraunos::saving::legacy::{LegacyContents, LegacyLayer, write_legacy};
use keraunos::saving::saving_lib::{LoadWeightsOptions, SaveWeightsOptions, load_model_from};
use keraunos::{CustomObjects, Device, LoadOptions, Model, SaveOptions, Tensor, load_model};
use serde_json::json;

fn fixture(name: &str) -> Model {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models").join(name);
    load_model(path).unwrap()
}

/// The bytes of all weights and of the optimizer's state, in order.
fn state(model: &Model) -> Vec<Vec<u8>> {
    let read =
        |source: &dyn keraunos::base::Source| Tensor::from_source(source).unwrap().bytes().to_vec();
    let weights = model.variables().into_iter().map(|(_, v)| read(v.source().as_ref()));
    let kept = model.kept_groups().iter().flat_map(|group| &group.datasets);
    weights.chain(kept.map(|(_, source)| read(source.as_ref()))).collect()
}

/// A model of the same architecture with other weights.
fn other(model: &Model) -> Model {
    Model::from_json(&model.to_json().unwrap(), &CustomObjects::new()).unwrap()
}

#[test]
fn whole_models_survive_every_form() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["mlp_compiled.keras", "cnn.keras", "nested.keras", "frozen_base.keras"] {
        let model = fixture(name);
        for (form, zipped) in [("m.keras", true), ("m.h5", true), ("folder", false)] {
            let path = folder.path().join(form);
            let mut options = SaveOptions { zipped, ..SaveOptions::default() };
            model.save_with(&path, &mut options).unwrap();
            let again = load_model(&path).unwrap();
            assert_eq!(state(&again), state(&model), "{name} as {form}");
            options.overwrite = false;
            let refused = model.save_with(&path, &mut options).unwrap_err().to_string();
            assert!(refused.contains("overwriting"), "{refused}");
        }
        let mut streamed = Vec::new();
        model.save_to(&mut streamed).unwrap();
        let again = load_model_from(std::sync::Arc::new(streamed), &LoadOptions::default());
        assert_eq!(state(&again.unwrap()), state(&model), "{name} as a stream");
        let older = std::sync::Arc::new(std::fs::read(folder.path().join("m.h5")).unwrap());
        let again = load_model_from(older, &LoadOptions::default()).unwrap();
        assert_eq!(state(&again), state(&model), "{name} from bytes of .h5");
    }
}

/// As Keras's `model_from_json`.
#[test]
fn json_says_how_the_model_was_compiled() {
    let model = fixture("mlp_compiled.keras");
    let text = model.to_json().unwrap();
    let mut read = Model::from_json(&text, &CustomObjects::new()).unwrap();
    assert!(read.is_compiled());
    assert_eq!(read.to_json().unwrap(), text);
    read.set_learning_rates(|_| Some(0.25)).unwrap();
    assert!(read.to_json().unwrap().contains("\"learning_rate\": 0.25"));
    let options = LoadOptions { compile: false, ..LoadOptions::default() };
    let read = Model::from_json_with(&text, &options).unwrap();
    assert!(!read.is_compiled() && read.config()["compile_config"] == serde_json::json!({}));
    let mut small = LoadOptions::default();
    small.limits.config_bytes = text.len() as u64 - 1;
    let refused = Model::from_json_with(&text, &small).unwrap_err().to_string();
    assert!(refused.contains("config_bytes"), "{refused}");
}

#[test]
fn weights_survive_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let model = fixture("nested.keras");
    let at = |name: &str| folder.path().join(name);
    model.save_weights(at("w.weights.h5")).unwrap();
    let largest = model.variables().iter().map(|(_, v)| v.spec().bytes()).max().unwrap() as u64;
    let shards = |bytes| SaveWeightsOptions {
        max_shard_bytes: Some(bytes),
        ..SaveWeightsOptions::default()
    };
    model.save_weights_with(at("s.weights.json"), &mut shards(largest)).unwrap();
    assert!(at("s_00001.weights.h5").exists());
    let small = model.save_weights_with(at("t.weights.json"), &mut shards(largest - 1));
    assert!(small.unwrap_err().to_string().contains("more than a shard"));
    model.save(at("m.keras")).unwrap();
    model.save(at("m.h5")).unwrap();
    for form in ["w.weights.h5", "s.weights.json", "m.keras", "m.h5"] {
        let mut loaded = other(&model);
        assert_ne!(state(&loaded), state(&model));
        loaded.load_weights(at(form)).unwrap();
        assert_eq!(
            state(&loaded)[..model.variables().len()],
            state(&model)[..model.variables().len()],
            "{form}"
        );
    }
    let mut by_name = other(&model);
    let options = LoadWeightsOptions { by_name: true, ..LoadWeightsOptions::default() };
    by_name.load_weights_with(at("m.h5"), &options).unwrap();
    assert!(by_name.load_weights_with(at("w.weights.h5"), &options).is_err());
    assert!(model.save_weights(at("w.h5")).unwrap_err().to_string().contains(".weights.h5"));
}

#[test]
fn what_does_not_fit_is_refused_or_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.weights.h5");
    fixture("cnn.keras").save_weights(&path).unwrap();
    let mut model = fixture("mlp.keras");
    let before = state(&model);
    assert!(model.load_weights(&path).is_err());
    assert_eq!(state(&model), before);
    let options = LoadWeightsOptions { skip_mismatch: true, ..LoadWeightsOptions::default() };
    model.load_weights_with(&path, &options).unwrap();
    model
        .call(
            &[Tensor::zeros(keraunos::base::Spec::new(
                [
                    &[1][..],
                    &model.inputs()[0].shape.0[1..].iter().map(|d| d.unwrap()).collect::<Vec<_>>(),
                ]
                .concat(),
                keraunos::DType::Float32,
            ))],
            &Device::Host,
        )
        .unwrap();
}

/// A file as Keras 2.0 wrote it: a bare list of layers, `lr` and `decay`, no modules.
#[test]
fn the_oldest_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.h5");
    let tensor = |shape: &[usize], values: &[f32]| {
        std::sync::Arc::new(Tensor::new(shape, values).unwrap())
            as std::sync::Arc<dyn keraunos::base::Source>
    };
    let dense = json!({"class_name": "Dense", "config": {
        "name": "dense_1", "trainable": true, "batch_input_shape": [null, 2], "dtype": "float32",
        "units": 1, "activation": "linear", "use_bias": true, "kernel_initializer": {
            "class_name": "VarianceScaling", "config": {
                "scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": null}},
        "bias_initializer": {"class_name": "Zeros", "config": {}}, "kernel_regularizer": null,
        "bias_regularizer": null, "activity_regularizer": null, "kernel_constraint": null,
        "bias_constraint": null}});
    let leaky = json!({"class_name": "LeakyReLU", "config": {
        "name": "leaky", "trainable": true, "alpha": 0.5}});
    let contents = LegacyContents {
        keras_version: "2.0.6".into(),
        config: json!({"class_name": "Sequential", "config": [dense, leaky]}),
        training: Some(json!({
            "optimizer_config": {"class_name": "SGD", "config": {
                "lr": 0.01, "decay": 0.1, "momentum": 0.0, "nesterov": false}},
            "loss": "mse", "metrics": ["acc"], "loss_weights": null, "sample_weight_mode": null})),
        layers: vec![
            LegacyLayer {
                name: "dense_1".into(),
                weights: vec![
                    ("dense_1/kernel:0".into(), tensor(&[2, 1], &[1.0, -2.0])),
                    ("dense_1/bias:0".into(), tensor(&[1], &[0.5])),
                ],
            },
            LegacyLayer { name: "leaky".into(), weights: Vec::new() },
        ],
        optimizer: Vec::new(),
    };
    write_legacy(&path, contents, Replace::default(), &mut |_, _| {}).unwrap();
    let model = load_model(&path).unwrap();
    let x = Tensor::new([2, 2], &[1f32, 0.0, 0.0, 1.0]).unwrap();
    let y = model.call(&[x], &Device::Host).unwrap();
    assert_eq!(y[0].to_vec::<f32>().unwrap(), [1.5, -0.75]);
    let optimizer = &model.config()["compile_config"]["optimizer"];
    assert_eq!(optimizer["module"], "keras.optimizers");
    let schedule = &optimizer["config"]["learning_rate"];
    assert_eq!(schedule["class_name"], "InverseTimeDecay");
    assert_eq!(schedule["config"]["initial_learning_rate"], 0.01);
}

/// Keras puts pickled variables into `model.weights.npz`, and no version of it loads them again.
#[test]
fn weights_in_pickles_are_refused_unless_others_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let honest =
        std::fs::File::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/mlp.keras"));
    let mut honest = zip::ZipArchive::new(honest.unwrap()).unwrap();
    let pickles = b"\x93NUMPY\x01\0\x46\0{'descr': '|O', 'fortran_order': False, 'shape': (), }";
    for keeps_h5 in [false, true] {
        let path = folder.path().join("npz.keras");
        let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        for i in 0..honest.len() {
            let member = honest.by_index(i).unwrap();
            if keeps_h5 || member.name().unwrap() != "model.weights.h5" {
                zip.raw_copy_file(member).unwrap();
            }
        }
        zip.start_file("model.weights.npz", zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut zip, pickles).unwrap();
        zip.finish().unwrap();
        match load_model(&path) {
            Ok(_) => assert!(keeps_h5),
            Err(error) => {
                assert!(!keeps_h5 && error.is_refusal(), "{error}");
                assert!(error.to_string().contains("never unpickled"), "{error}");
            }
        }
    }
    let mut model = fixture("mlp.keras");
    let message = model.load_weights(folder.path().join("w.npz")).unwrap_err().to_string();
    assert!(message.contains("never unpickled"), "{message}");
}
