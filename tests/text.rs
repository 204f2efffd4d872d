//! Models that take or give text: what the host does goes into and comes out of a device's program.

use keraunos::saving::Json;
use keraunos::{CustomObjects, Device, Model, Tensor};
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
        [input("float32", 3), layer("Discretization", &bins), layer("StringLookup", &words)];
    let x = Tensor::new([1, 3], &[-1f32, 0.5, 2.0]).unwrap();
    let y = chain(&layers).call(&[x], &Device::Host).unwrap().remove(0);
    assert_eq!(y.strings().unwrap(), ["[UNK]", "low", "high"]);
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
