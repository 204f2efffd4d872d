//! Models that take or give text: what the host does goes into and comes out of a device's program.

mod common;

use keraunos::saving::Json;
use keraunos::saving::npz::read_npz;
use keraunos::{CustomObjects, Device, Model, Tensor, load_model};
use serde_json::json;

fn layer(class: &str, config: &Json) -> Json {
    json!({"module": "keras.layers", "class_name": class, "config": config, "registered_name": null})
}

fn chain(layers: &[Json]) -> Model {
    let config = json!({"name": "chain", "layers": layers});
    let record = json!({
        "module": "keras", "class_name": "Sequential", "config": config, "registered_name": null,
    });
    Model::from_config(record, &CustomObjects::new()).unwrap()
}

fn input(dtype: &str, extent: usize) -> Json {
    let config = json!({"name": "x", "batch_shape": [null, extent], "dtype": dtype});
    layer("InputLayer", &config)
}

fn vectorizer(mode: &str) -> Json {
    let config = json!({"name": "text", "vocabulary": ["the", "cat"], "output_mode": mode});
    layer("TextVectorization", &config)
}

fn texts() -> Tensor {
    Tensor::from_strings([3, 1], &["The cat, the\u{b}DOG!", "", "cat\u{3000}the"]).unwrap()
}

#[test]
fn text_becomes_indices_as_wide_as_the_longest_row() {
    let y = chain(&[input("string", 1), vectorizer("int")]).call(&[texts()], &Device::Host);
    let y = y.unwrap().remove(0);
    assert_eq!(y, Tensor::new([3, 4], &[2i32, 3, 2, 1, 0, 0, 0, 0, 1, 0, 0, 0]).unwrap());
}

#[test]
fn sparse_output_holds_the_same_numbers() {
    let input_layer = |sparse: bool| {
        let config =
            json!({"name": "x", "batch_shape": [null, 3], "dtype": "int32", "sparse": sparse});
        layer("InputLayer", &config)
    };
    let given = Tensor::new([2, 3], &[1i32, 2, 1, 0, 3, 9]).unwrap();
    let more = [
        ("CategoryEncoding", json!({"num_tokens": 10, "output_mode": "count"})),
        ("Discretization", json!({"bin_boundaries": [1.0, 2.5], "output_mode": "one_hot"})),
        ("IntegerLookup", json!({"vocabulary": [1, 2], "output_mode": "multi_hot"})),
        ("Hashing", json!({"num_bins": 4, "output_mode": "count"})),
    ];
    for (class, config) in more {
        let call = |sparse: bool| {
            let mut config = config.clone();
            config["name"] = json!("x_of");
            config["sparse"] = json!(sparse);
            chain(&[input_layer(sparse), layer(class, &config)])
                .call(&given, &Device::Host)
                .unwrap()
        };
        assert_eq!(call(true), call(false), "{class}");
    }
    // As in Keras, which has no sparse indices.
    let config = json!({"name": "bins", "bin_boundaries": [0.0], "sparse": true});
    let layers = [input_layer(false), layer("Discretization", &config)];
    let record = json!({
        "module": "keras", "class_name": "Sequential", "registered_name": null,
        "config": {"name": "chain", "layers": layers},
    });
    let message = Model::from_config(record, &CustomObjects::new()).unwrap_err().to_string();
    assert!(message.contains("sparse") && message.contains("output_mode"), "{message}");
}

#[test]
fn counts_of_a_nested_model_are_computed_with() {
    let inner = json!({"name": "inner", "layers": [input("string", 1), vectorizer("count")]});
    let inner = json!({
        "module": "keras", "class_name": "Sequential", "config": inner, "registered_name": null,
    });
    let scale = layer("Rescaling", &json!({"name": "scale", "scale": 0.5}));
    let model = chain(&[input("string", 1), inner, scale]);
    let y = model.call(&[texts()], &Device::Host).unwrap().remove(0);
    let expected = [0.5f32, 1.0, 0.5, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0];
    assert_eq!(y.to_vec::<f32>().unwrap(), expected);
}

#[test]
fn words_of_indices_that_the_device_computes_are_text() {
    let bins = json!({"name": "bins", "bin_boundaries": [0.0, 1.0]});
    let words = json!({"name": "words", "vocabulary": ["low", "high"], "invert": true});
    let layers =
        [input("float32", 4), layer("Discretization", &bins), layer("StringLookup", &words)];
    // NaN is above all boundaries, as in Keras.
    let x = Tensor::new([1, 4], &[-1f32, 0.5, 2.0, f32::NAN]).unwrap();
    let y = chain(&layers).call(&[x], &Device::Host).unwrap().remove(0);
    assert_eq!(y.strings().unwrap(), ["[UNK]", "low", "high", "high"]);
}

#[test]
fn wide_integers_are_looked_up_whole() {
    let ids = json!({"name": "ids", "vocabulary": [7, 1i64 << 40]});
    let model = chain(&[input("int64", 2), layer("IntegerLookup", &ids)]);
    let x = Tensor::new([1, 2], &[1i64 << 40, (1 << 40) + 1]).unwrap();
    let y = model.call(&[x], &Device::Host).unwrap().remove(0);
    assert_eq!(y.to_vec::<i32>().unwrap(), [2, 0]);
}

#[test]
fn text_is_not_computed_with() {
    let model = json!({"name": "chain", "layers": [input("string", 1), layer("ReLU", &json!({}))]});
    let record = json!({
        "module": "keras", "class_name": "Sequential", "config": model, "registered_name": null,
    });
    let error = Model::from_config(record, &CustomObjects::new()).err().unwrap().to_string();
    assert!(error.contains("text in"), "{error}");
    let lookup = json!({"name": "ids", "vocabulary": ["a"], "num_oov_indices": 0});
    let model = chain(&[input("string", 1), layer("StringLookup", &lookup)]);
    let error = model.call(&[texts()], &Device::Host).unwrap_err().to_string();
    assert!(error.contains("num_oov_indices is 0"), "{error}");
    assert!(model.call(&[Tensor::new([1, 1], &[1f32]).unwrap()], &Device::Host).is_err());
}

/// Models that `tests/keras/make_text.py` recorded: every mode of every layer of text.
#[test]
fn recorded_models_of_text_on_the_host() {
    check_recorded(&Device::Host);
}

#[test]
fn recorded_models_of_text_on_the_gpu() {
    check_recorded(&common::gpu());
}

fn check_recorded(device: &Device) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/text");
    let mut failures = Vec::new();
    let mut models = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "keras") {
            models += 1;
            failures
                .extend(differences(&path, device).into_iter().map(|d| format!("{path:?} {d}")));
        }
    }
    assert!(models >= 8, "the recorded models are in the repository");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What of a recorded model's outputs is not what Keras gave, also behind saving and loading.
fn differences(path: &std::path::Path, device: &Device) -> Vec<String> {
    let arrays = read_npz(&path.with_extension("npz")).unwrap();
    let side = |letter: char| {
        let found = arrays.iter().filter(move |(name, _)| name.starts_with(letter));
        found.map(|(_, tensor)| tensor.clone()).collect::<Vec<_>>()
    };
    let (inputs, expected) = (side('x'), side('y'));
    let model = load_model(path).unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let copy = temporary.path().join("copy.keras");
    model.save(&copy).unwrap();
    let mut differences = Vec::new();
    for model in [model, load_model(&copy).unwrap()] {
        let found = match model.call(&inputs, device) {
            Ok(found) => found,
            Err(error) => return vec![error.to_string()],
        };
        assert_eq!(found.len(), expected.len());
        for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
            // Rows without a word have no mean.
            let near = |(a, b): (f64, f64)| {
                (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-5 * b.abs().max(1.0)
            };
            let same = found.shape() == expected.shape()
                && found.iter_f64().zip(expected.iter_f64()).all(near);
            if !same {
                differences.push(format!("output {i}: {found:?} is not {expected:?}"));
            }
        }
    }
    differences
}
