//! Files of nine versions of Keras: read, and written for each so that it loads them.
//!
//! Where `KERAUNOS_PYTHON` names a Python with Keras, the versions themselves write and judge, in every
//! form of a file. pip installs them into `target/keras/versions`, unless `KERAUNOS_KERAS_VERSIONS` names a
//! folder with one folder for each, such as `pip install --no-deps --target FOLDER/3.6.0 keras==3.6.0` makes.
//! With `KERAUNOS_BLESS=1` the table of the manual is written anew.

mod common;
#[path = "versions/matrix.rs"]
mod matrix;

use std::fs;
use std::path::{Path, PathBuf};

use keraunos::saving::npz::read_npz;
use keraunos::saving::{Archive, GroupPlan, Json, KerasVersion, Limits, profile};
use serde_json::json;

use keraunos::{Device, Model, PredictOptions, Tensor, load_model};

const MODELS: [&str; 4] = ["sequential", "functional", "recurrent", "operations"];
const TOLERANCE: f64 = 1e-5;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/versions")
}

/// The versions that wrote the samples, the oldest first.
fn versions() -> Vec<String> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> =
        folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort_by_key(|name| name.parse::<KerasVersion>().unwrap());
    assert_eq!(names.len(), 9);
    names
}

fn recorded(model: &str, letter: char) -> Vec<Tensor> {
    let arrays = read_npz(&folder().join(format!("{model}.npz"))).unwrap();
    arrays.into_iter().filter(|(name, _)| name.starts_with(letter)).map(|(_, x)| x).collect()
}

fn is_right(model: &Model, name: &str) -> bool {
    let device = Device::open("host").unwrap();
    let inputs = recorded(name, 'x');
    let found = model.predict_with(&inputs, &mut PredictOptions::on(device)).unwrap();
    let expected = recorded(name, 'y');
    let close = |(a, b): (&Tensor, &Tensor)| {
        let numbers = |x: &Tensor| x.cast(keraunos::DType::Float64).to_vec::<f64>().unwrap();
        a.shape() == b.shape()
            && numbers(a).iter().zip(numbers(b)).all(|(a, b)| (a - b).abs() <= TOLERANCE)
    };
    found.len() == expected.len() && found.iter().zip(&expected).all(close)
}

/// The optimizer's variables of an archive, as bytes.
fn state(path: &Path) -> Vec<Vec<u8>> {
    let archive = Archive::open(path, &Limits::default()).unwrap();
    let group = archive.weights().unwrap().group("optimizer/vars").unwrap();
    let datasets = group.map(|group| group.datasets).unwrap_or_default();
    let bytes =
        |source: &dyn keraunos::base::Source| Tensor::from_source(source).unwrap().bytes().to_vec();
    datasets.iter().map(|(_, source)| bytes(source.as_ref())).collect()
}

#[test]
fn files_of_every_version_are_read() {
    let temporary = tempfile::tempdir().unwrap();
    let saved = temporary.path().join("saved.keras");
    for version in versions() {
        for name in MODELS {
            let at = |ending: &str| folder().join(&version).join(format!("{name}.{ending}"));
            let model = load_model(at("keras")).unwrap();
            assert!(is_right(&model, name), "{version}/{name}.keras");
            model.save(&saved).unwrap();
            assert_eq!(state(&saved), state(&at("keras")), "{version}/{name}: the optimizer");
            if !at("h5").exists() {
                continue;
            }
            assert!(is_right(&load_model(at("h5")).unwrap(), name), "{version}/{name}.h5");
            let mut other = load_model(at("keras")).unwrap();
            for (_, variable) in other.variables() {
                variable.assign(Tensor::zeros(variable.spec().clone())).unwrap();
            }
            assert!(!is_right(&other, name));
            other.load_weights(at("weights.h5")).unwrap();
            assert!(is_right(&other, name), "{version}/{name}.weights.h5");
        }
    }
}

fn config_for(config: &Json, version: &str) -> Result<Json, String> {
    profile::config_for(config, version.parse().unwrap()).map_err(|error| error.to_string())
}

/// A Dense layer with one key of its config changed.
fn dense(key: &str, value: Json) -> Json {
    let mut config = json!({
        "name": "out",
        "dtype": {
            "module": "keras", "class_name": "DTypePolicy", "config": {"name": "mixed_float16"},
            "registered_name": null, "shared_object_id": 123_456_789
        },
        "units": 2,
        "activation": "relu",
        "kernel_initializer": {
            "module": "keras.initializers", "class_name": "Orthogonal",
            "config": {"gain": 1.0, "seed": null}, "registered_name": null
        },
        "quantization_config": null,
        "lora_alpha": null
    });
    config[key] = value;
    json!({"module": "keras.layers", "class_name": "Dense", "config": config, "registered_name": null})
}

#[test]
fn what_came_later_is_left_out_where_it_says_nothing() {
    let old = config_for(&dense("units", 2.into()), "3.3").unwrap();
    let config = &old["config"];
    assert_eq!(config["dtype"], "mixed_float16");
    assert!(config.get("quantization_config").is_none() && config.get("lora_alpha").is_none());
    assert_eq!(config["kernel_initializer"]["class_name"], "OrthogonalInitializer");
    let newer = config_for(&dense("units", 2.into()), "3.13").unwrap();
    assert!(newer["config"]["dtype"].is_object());
    assert!(newer["config"]["dtype"].get("shared_object_id").is_none());
    assert_eq!(newer["config"]["quantization_config"], Json::Null);
    assert_eq!(newer["config"]["kernel_initializer"]["class_name"], "Orthogonal");
}

#[test]
fn what_a_version_cannot_express_is_refused_with_its_place() {
    let int4 = json!({"module": "keras.dtype_policies", "class_name": "QuantizedDTypePolicy",
        "config": {"mode": "int4", "source_name": "float32"}, "registered_name": null});
    for (config, version, what) in [
        (dense("lora_alpha", 2.into()), "3.8", "'lora_alpha' came with Keras 3.10 and is 2"),
        (dense("activation", "celu".into()), "3.6", "'celu' came with Keras 3.8"),
        (dense("dtype", int4), "3.13", "packed along another axis"),
    ] {
        let message = config_for(&config, version).unwrap_err();
        assert!(message.contains(what) && message.contains("out"), "{message}");
        config_for(&config, "3.15").unwrap();
    }
    let model = json!({"module": "keras.src.models.functional", "class_name": "Functional",
    "registered_name": "Functional", "config": {"name": "outer", "trainable": true,
        "layers": [{"class_name": "Functional", "name": "inner", "config": {"name": "inner"}}],
        "input_layers": ["x", 0, 0], "output_layers": ["inner", 1, 0]}, "compile_config": {}});
    assert!(config_for(&model, "3.0").unwrap_err().contains("another call"));
    let frozen = json!({"module": "keras", "class_name": "Sequential", "registered_name": null,
        "config": {"name": "base", "trainable": false, "layers": []}});
    assert!(config_for(&frozen, "3.0").unwrap_err().contains("thaws"));
    assert_eq!(config_for(&frozen, "3.3").unwrap(), frozen);
    let old = config_for(&model, "3.3").unwrap();
    assert_eq!(old["config"]["output_layers"], json!([["inner", 1, 0]]));
    assert!(old.get("compile_config").is_none() && old["config"].get("trainable").is_none());
    assert_eq!(config_for(&model, "3.10").unwrap(), model);
}

#[test]
fn weights_in_another_order_are_refused() {
    let tensor = || std::sync::Arc::new(Tensor::scalar(0.0));
    let group = |path: &str, count: usize| GroupPlan {
        path: path.into(),
        name: None,
        datasets: (0..count).map(|i| (i.to_string(), tensor() as _)).collect(),
    };
    let config = json!({"compile_config": {"optimizer": {"class_name": "Nadam", "config": {}}}});
    let check = |group: GroupPlan, version: &str| {
        profile::check_groups(&[group], &config, version.parse().unwrap()).is_ok()
    };
    assert!(check(group("optimizer/vars", 2), "3.9") && check(group("optimizer/vars", 5), "3.10"));
    assert!(!check(group("optimizer/vars", 5), "3.9"));
    assert!(!check(group("blocks/container_1/dense/vars", 1), "3.14"));
    assert!(check(group("blocks/container_1/dense/vars", 1), "3.15"));
    assert!(profile::check_shards("3.9".parse().unwrap()).is_err());
}
