//! What a model is called with: names, text, structures, JSON.

use std::path::Path;

use keraunos::base::{DType, Nested};
use keraunos::models::PredictOptions;
use keraunos::saving::json::to_python;
use keraunos::saving::npz::read_npz;
use keraunos::saving::{Json, Limits};
use keraunos::{CustomObjects, Device, LoadOptions, Model, Tensor, load_model, load_model_with};
use serde_json::json;

fn fixture(name: &str) -> Model {
    load_model(folder().join(format!("{name}.keras"))).unwrap()
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models")
}

fn arrays(name: &str, letter: char) -> Vec<Tensor> {
    let arrays = read_npz(&folder().join(format!("{name}.npz"))).unwrap();
    arrays.into_iter().filter(|(name, _)| name.starts_with(letter)).map(|(_, t)| t).collect()
}

/// A chain of one layer of text.
fn lookup() -> Model {
    let layer = |class: &str, config: &Json| {
        json!({"module": "keras.layers", "class_name": class, "config": config,
               "registered_name": null})
    };
    let input = json!({"name": "x", "batch_shape": [null, 1], "dtype": "string"});
    let words = json!({"name": "words", "vocabulary": ["a", "b"], "max_tokens": null});
    let layers = [layer("InputLayer", &input), layer("StringLookup", &words)];
    let record = json!({"module": "keras", "class_name": "Sequential", "registered_name": null,
                        "config": {"name": "chain", "layers": layers}});
    Model::from_config(record, &CustomObjects::new()).unwrap()
}

#[test]
fn inputs_are_given_in_order_by_name_or_in_a_structure() {
    let model = fixture("dictionaries");
    let x = arrays("dictionaries", 'x');
    let expected = model.call(&x, &Device::Host).unwrap();
    let named = [("width", x[1].clone()), ("height", x[0].clone())];
    assert_eq!(model.call(named.clone(), &Device::Host).unwrap(), expected);
    assert_eq!(model.call(Vec::from(named), &Device::Host).unwrap(), expected);
    let missing = [("width", x[1].clone()), ("depth", x[0].clone())];
    let message = model.call(missing, &Device::Host).unwrap_err().to_string();
    assert!(message.contains("nothing is given for 'height'; there is width, depth"), "{message}");
    // The model was declared with the keys in another order than that of a list.
    let list = Nested::List(x.into_iter().map(Nested::Leaf).collect());
    assert!(model.call(list, &Device::Host).is_err());
}

#[test]
fn text_is_given_as_strings() {
    let model = lookup();
    let expected = Tensor::new([3, 1], &[2i64, 0, 1]).unwrap();
    let expected = expected.iter_f64().collect::<Vec<f64>>();
    for found in [
        model.call(&["b", "?", "a"], &Device::Host),
        model.call(["b", "?", "a"].as_slice(), &Device::Host),
        model.call(vec!["b".to_owned(), "?".into(), "a".into()], &Device::Host),
        model.call(
            model.inputs_from_json(br#"["b", "?", "a"]"#, &Limits::default()).unwrap(),
            &Device::Host,
        ),
    ] {
        let found = found.unwrap().remove(0);
        assert_eq!(found.iter_f64().collect::<Vec<f64>>(), expected);
        assert_eq!(found.shape()[..], [3, 1]);
    }
    let message = model.call(Tensor::scalar(1.0), &Device::Host).unwrap_err().to_string();
    assert!(message.contains("input 'x'"), "{message}");
}

#[test]
fn json_holds_what_predict_takes_and_gives() {
    let model = fixture("dictionaries");
    let limits = Limits::default();
    let read = |text: &str| model.inputs_from_json(text.as_bytes(), &limits);
    let (width, height) = ("[[1, 2, 3]]", "[[0.5, NaN, 1, true]]");
    let x = read(&format!(r#"{{"width": {width}, "height": {height}}}"#)).unwrap();
    assert_eq!(model.inputs()[0].name, "height");
    assert_eq!(x[1], Some(Tensor::new([1, 3], &[1i64, 2, 3]).unwrap()));
    let height = x[0].as_ref().unwrap();
    assert_eq!((height.shape()[1], height.iter_f64().nth(2)), (4, Some(1.0)));
    let outputs = model.call(x, &Device::Host).unwrap();
    let json = model.outputs_to_json(&outputs);
    let back = model.outputs_from_json(to_python(&json).as_bytes(), &limits).unwrap();
    assert_eq!(back.len(), outputs.len());
    assert!(json["sum"].is_array() && json["product"].is_array(), "{json}");
    for (text, part) in [
        (r#"{"width": [[1, 2, 3]], "height": [[1, 2], [3]]}"#, r#"at ["height"][1]: 1 elements"#),
        (r#"{"width": [[1, 2, 3]]}"#, "nothing is given for 'height'"),
        (r#"{"width": [[1, "a", 3]], "height": 1}"#, r#"at ["width"][0][1]: text among numbers"#),
        (r#"{"width": null, "height": [[1]]}"#, r#"at ["width"]: null"#),
        ("[[[1, 2, 3]], [[1, 2, 3, 4]]]", "expected {'width': width, 'height': height}"),
        (r#"{"width": 1, "width": 2}"#, "twice"),
        (&"[".repeat(1000), "json_depth"),
    ] {
        let message = read(text).unwrap_err().to_string();
        assert!(message.contains(part), "{text}: {message}");
    }
    let small = Limits { json_array_bytes: 10, ..limits.clone() };
    let message = model.inputs_from_json(&[b' '; 11], &small).unwrap_err().to_string();
    assert!(message.contains("json_array_bytes"), "{message}");
}

#[test]
fn json_of_several_inputs_is_a_list_or_an_object() {
    let model = fixture("shared_layers");
    let limits = Limits::default();
    let expected = [Tensor::new([1, 2], &[1i64, 2]), Tensor::new([1, 2], &[3i64, 4])];
    let expected = expected.map(Result::ok);
    for text in [r#"[[[1, 2]], [[3, 4]]]"#, r#"{"right": [[3, 4]], "left": [[1, 2]], "more": 1}"#] {
        assert_eq!(model.inputs_from_json(text.as_bytes(), &limits).unwrap(), expected);
    }
    assert!(model.inputs_from_json(b"[[1, 2]]", &limits).is_err());
}

#[test]
fn optional_inputs_may_be_left_out() {
    let model = fixture("optional_inputs");
    let x = arrays("optional_inputs", 'x');
    let names: Vec<String> = model.inputs().into_iter().map(|input| input.name).collect();
    assert_eq!(names, ["mask", "state", "x"]);
    let [mask, state, x] = <[Tensor; 3]>::try_from(x).unwrap();
    let (no_mask, no_state) = (vec![1u8; mask.shape().len()], vec![0.0f32; state.shape().len()]);
    let no_mask = Tensor::new(mask.shape().clone(), &no_mask).unwrap().cast(DType::Bool);
    let no_state = Tensor::new(state.shape().clone(), &no_state).unwrap();
    let json = |text: String| model.inputs_from_json(text.as_bytes(), &Limits::default()).unwrap();
    let text = json_of(&x);
    let call = |inputs: Vec<Option<Tensor>>| model.call(inputs, &Device::Host).unwrap();
    let without = call(vec![Some(no_mask), Some(no_state.clone()), Some(x.clone())]);
    assert_ne!(without, call(vec![Some(mask.clone()), Some(state), Some(x.clone())]));
    for inputs in [
        vec![None, None, Some(x.clone())],
        json(format!(r#"{{"x": {text}}}"#)),
        json(format!(r#"{{"state": null, "mask": null, "x": {text}}}"#)),
    ] {
        assert_eq!(call(inputs), without);
    }
    assert_eq!(model.predict_with([("x", x.clone())], &mut host(1)).unwrap(), without);
    let with_mask = call(vec![Some(mask.clone()), Some(no_state), Some(x.clone())]);
    assert_eq!(call(vec![Some(mask.clone()), None, Some(x)]), with_mask);
    let message = model.call([("mask", mask)], &Device::Host).unwrap_err().to_string();
    assert!(message.contains("nothing is given for 'x'"), "{message}");
    let message = model.call(vec![None, None, None], &Device::Host).unwrap_err().to_string();
    assert!(message.contains("the input 'x' is not optional"), "{message}");
}

fn host(batch_size: usize) -> PredictOptions<'static> {
    let mut options = PredictOptions::on(Device::Host);
    options.batch_size = Some(batch_size);
    options
}

/// Nested lists.
fn json_of(tensor: &Tensor) -> Json {
    let numbers: Vec<f64> = tensor.iter_f64().collect();
    let inner = |row: &[f64]| Json::from(row.to_vec());
    let (steps, width) = (tensor.shape()[1], tensor.shape()[2]);
    numbers
        .chunks(steps * width)
        .map(|row| row.chunks(width).map(inner).collect::<Json>())
        .collect()
}

#[test]
fn integers_that_do_not_fit_are_refused() {
    let model = fixture("masked_block");
    let tokens = |last: i64| Tensor::new([1, 6], &[1, 2, 3, 4, 0, last]).unwrap();
    assert!(model.call(tokens(1), &Device::Host).is_ok());
    let message = model.call(tokens(1 << 32), &Device::Host).unwrap_err().to_string();
    assert!(message.contains("input 'tokens'") && message.contains("4294967296"), "{message}");
}

#[test]
fn float64_is_refused_or_narrowed_on_request() {
    let mut config = fixture("mlp").config().clone();
    config["config"]["layers"][1]["config"]["dtype"] = json!("float64");
    let error = Model::from_config(config.clone(), &CustomObjects::new()).err().unwrap();
    let message = error.to_string();
    assert!(message.contains("float64") && message.contains("narrow_float64"), "{message}");
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("double");
    fixture("mlp")
        .save_with(&path, &mut keraunos::SaveOptions { zipped: false, ..Default::default() })
        .unwrap();
    std::fs::write(path.join("config.json"), config.to_string()).unwrap();
    assert!(load_model(&path).is_err());
    let options = LoadOptions { narrow_float64: true, ..LoadOptions::default() };
    let model = load_model_with(&path, &options).unwrap();
    let name = config["config"]["layers"][1]["config"]["name"].as_str().unwrap();
    assert_eq!(model.narrowed(), [name]);
    let x = arrays("mlp", 'x');
    let (found, expected) = (model.call(&x, &Device::Host), fixture("mlp").call(&x, &Device::Host));
    let (found, expected) = (found.unwrap().remove(0), expected.unwrap().remove(0));
    assert_eq!(found.iter_f64().collect::<Vec<_>>(), expected.iter_f64().collect::<Vec<_>>());
    assert!(fixture("mlp").narrowed().is_empty());
}

#[test]
fn arrays_of_numpy_are_narrowed_as_with_jax() {
    let tensor = json!({"class_name": "__keras_tensor__", "config": {
        "shape": [null, 2], "dtype": "float32", "keras_history": ["x", 0, 0],
    }});
    let input = json!({
        "module": "keras.layers", "class_name": "InputLayer", "name": "x", "inbound_nodes": [],
        "registered_name": null,
        "config": {"name": "x", "batch_shape": [null, 2], "dtype": "float32"},
    });
    let add = |dtype: &str, value: Json| {
        let array = json!({"class_name": "__numpy__", "config": {"value": value, "dtype": dtype}});
        let add = json!({
            "module": "keras.src.ops.numpy", "class_name": "Add", "name": "add",
            "registered_name": "Add", "config": {"name": "add"},
            "inbound_nodes": [{"args": [tensor, array], "kwargs": {}}],
        });
        let config = json!({
            "name": "model", "layers": [input, add],
            "input_layers": ["x", 0, 0], "output_layers": ["add", 0, 0],
        });
        let record = json!({
            "module": "keras.src.models.functional", "class_name": "Functional",
            "registered_name": "Functional", "config": config,
        });
        let model = Model::from_config(record, &CustomObjects::new()).unwrap();
        let x = Tensor::new([1, 2], &[1f32, 2.0]).unwrap();
        model.call(x, &Device::Host).unwrap().remove(0)
    };
    assert_eq!(add("float64", json!([0.5, 0.25])), Tensor::new([1, 2], &[1.5f32, 2.25]).unwrap());
    assert_eq!(add("int64", json!([1, -2])), Tensor::new([1, 2], &[2f32, 0.0]).unwrap());
}
