//! What `fit`, `evaluate`, `predict` and single steps give with each of their arguments, beside what
//! Keras gave (`tests/models/calls.json`, recorded by `tests/keras/make_calls.py`).

use std::collections::{HashMap, HashSet};

use keraunos::base::Nested;
use keraunos::layers::config::Json;
use keraunos::models::{CustomObjects, Inputs, PredictOptions};
use keraunos::tensor::Variable;
use keraunos::trainers::{Compile, Data, EvaluateOptions, FitOptions, Frequency, Logs};
use keraunos::{Device, Error, Model, Result, Tensor};

/// Calls that Keras answers and this crate refuses: how their errors start, and why.
const REFUSED: [(&str, &str); 1] = [(
    "metrics of a model some of whose first outputs have no labels",
    "Keras takes labels for metrics by position, and drops those that find none",
)];

/// Largest difference of a number.
const TOLERANCE: f64 = 2e-5;

type Arrays = HashMap<String, Tensor>;

fn numbers(json: &Json) -> Vec<f64> {
    match json {
        Json::Array(items) => items.iter().flat_map(numbers).collect(),
        one => vec![one.as_f64().unwrap_or(f64::NAN)],
    }
}

fn array(record: &Json) -> Result<Tensor> {
    let shape: Vec<usize> = numbers(&record["shape"]).iter().map(|&n| n as usize).collect();
    let values = numbers(&record["values"]);
    match record["dtype"].as_str().unwrap() {
        "int32" => Tensor::new(shape, &values.iter().map(|&v| v as i32).collect::<Vec<_>>()),
        "int64" => Tensor::new(shape, &values.iter().map(|&v| v as i64).collect::<Vec<_>>()),
        "float64" => Tensor::new(shape, &values),
        _ => Tensor::new(shape, &values.iter().map(|&v| v as f32).collect::<Vec<_>>()),
    }
}

/// A structure of arrays by their names.
fn structure(json: &Json, arrays: &Arrays) -> Nested<Tensor> {
    match json {
        Json::String(name) => Nested::Leaf(arrays[name].clone()),
        Json::Array(items) => {
            Nested::List(items.iter().map(|item| structure(item, arrays)).collect())
        }
        Json::Object(items) => {
            let item = |(key, item): (&String, &Json)| (key.clone(), structure(item, arrays));
            Nested::Dict(items.iter().map(item).collect())
        }
        _ => Nested::None,
    }
}

/// One array, or a list of them, in order; else a structure.
fn inputs(json: &Json, arrays: &Arrays) -> Inputs {
    structure(json, arrays).into()
}

fn count(arguments: &Json, key: &str) -> Option<usize> {
    arguments[key].as_u64().map(|n| n as usize)
}

/// Inputs, labels and weights of a call.
fn data(model: &Model, [x, y, weight]: [&Json; 3], arrays: &Arrays) -> Result<Data> {
    let data = model.data(inputs(x, arrays), inputs(y, arrays))?;
    if weight.is_null() { Ok(data) } else { model.weighted(data, inputs(weight, arrays)) }
}

fn class_weight(arguments: &Json) -> Vec<(i64, f64)> {
    let pairs = arguments["class_weight"].as_object().into_iter().flatten();
    pairs.map(|(class, weight)| (class.parse().unwrap(), weight.as_f64().unwrap())).collect()
}

fn fit(model: &mut Model, arguments: &Json, data: &Data, arrays: &Arrays) -> Result<Json> {
    let validation = &arguments["validation_data"];
    let validation = match validation.is_null() {
        true => None,
        false => {
            let (x, y, weight) = (&validation[0], &validation[1], &validation[2]);
            Some(self::data(model, [x, y, weight], arrays)?)
        }
    };
    let mut options = FitOptions {
        batch_size: count(arguments, "batch_size"),
        epochs: count(arguments, "epochs").unwrap_or(1),
        initial_epoch: count(arguments, "initial_epoch").unwrap_or(0),
        steps_per_epoch: count(arguments, "steps_per_epoch"),
        shuffle: false,
        class_weight: class_weight(arguments),
        validation_split: arguments["validation_split"].as_f64().unwrap_or(0.0),
        validation_data: validation,
        validation_steps: count(arguments, "validation_steps"),
        validation_batch_size: count(arguments, "validation_batch_size"),
        validation_freq: match &arguments["validation_freq"] {
            Json::Array(epochs) => {
                Frequency::At(epochs.iter().map(|n| n.as_u64().unwrap() as usize).collect())
            }
            one => Frequency::Every(one.as_u64().unwrap_or(1) as usize),
        },
        ..FitOptions::on(Device::Host)
    };
    let history = model.fit(data, &mut options)?;
    let names = history.history.iter().map(|(name, values)| {
        let values: Json = values.iter().map(keraunos::trainers::Logged::to_json).collect();
        Json::from(vec![Json::from(name.as_str()), values])
    });
    Ok(names.collect())
}

fn logs(mut logs: Logs) -> Json {
    // Keras has them in a dictionary, and gives a list in another order.
    logs.sort_by(|(a, _), (b, _)| a.cmp(b));
    logs.iter()
        .map(|(name, value)| Json::from(vec![Json::from(name.as_str()), value.to_json()]))
        .collect()
}

fn call(model: &mut Model, name: &str, arguments: &Json, arrays: &Arrays) -> Result<Json> {
    let (batch_size, steps) = (count(arguments, "batch_size"), count(arguments, "steps"));
    if name == "predict" {
        let options = PredictOptions::on(Device::Host);
        let mut options = PredictOptions { batch_size, steps, ..options };
        let found = model.predict_with(inputs(&arguments["x"], arrays), &mut options)?;
        return Ok(found.iter().map(|t| t.iter_f64().map(Json::from).collect::<Json>()).collect());
    }
    let parts = ["x", "y", "sample_weight"].map(|key| &arguments[key]);
    let mut data = data(model, parts, arrays)?;
    match name {
        "fit" => fit(model, arguments, &data, arrays),
        "evaluate" => {
            let options =
                EvaluateOptions { batch_size, steps, ..EvaluateOptions::on(Device::Host) };
            model.evaluate(&data, &options).map(logs)
        }
        "train_on_batch" => {
            if !arguments["class_weight"].is_null() {
                data = data.with_class_weight(&class_weight(arguments))?;
            }
            model.train_on_batch(&data, &Device::Host).map(logs)
        }
        _ => model.test_on_batch(&data, &Device::Host).map(logs),
    }
}

/// All weights, each once.
fn weights(model: &Model) -> Vec<Variable> {
    let mut seen = HashSet::new();
    let all = model.variables().into_iter().map(|(_, variable)| variable);
    all.filter(|variable| seen.insert(variable.id())).collect()
}

/// A model compiled as a case says, with the recorded weights.
fn model(record: &Json, case: &Json) -> Result<Model> {
    let mut model = Model::from_config(record["model"].clone(), &CustomObjects::new())?;
    for (variable, values) in weights(&model).iter().zip(record["weights"].as_array().unwrap()) {
        let values: Vec<f32> = numbers(values).iter().map(|&v| v as f32).collect();
        variable.assign(Tensor::new(variable.spec().shape.clone(), &values)?)?;
    }
    let given = &case["compile"];
    let sgd = serde_json::json!({"class_name": "SGD", "config": {"learning_rate": 0.1}});
    let optimizer = given.get("optimizer").map_or(sgd, Json::clone);
    let mut compile = Compile::new(optimizer)
        .loss(given["loss"].clone())
        .loss_weights(given["loss_weights"].clone())
        .metrics(given["metrics"].clone())
        .weighted_metrics(given["weighted_metrics"].clone());
    if let Some(steps) = count(given, "steps_per_execution") {
        compile = compile.steps_per_execution(steps);
    }
    model.compile(compile)?;
    Ok(model)
}

/// The difference of what a call gave, if there is one.
fn difference(found: &Json, expected: &Json) -> Option<String> {
    let names = |json: &Json| -> Vec<String> {
        let pairs = json.as_array().into_iter().flatten();
        pairs.filter_map(|pair| Some(pair.get(0)?.as_str()?.to_owned())).collect()
    };
    if names(found) != names(expected) {
        return Some(format!("names {:?}, expected {:?}", names(found), names(expected)));
    }
    let (a, b) = (numbers(found), numbers(expected));
    let near = |(a, b): (&f64, &f64)| {
        (a - b).abs() <= TOLERANCE * (1.0 + b.abs()) || (a.is_nan() && b.is_nan())
    };
    if a.len() != b.len() || !a.iter().zip(&b).all(near) {
        return Some(format!("{found}, expected {expected}"));
    }
    None
}

/// What differs in a case.
fn check(record: &Json, case: &Json, arrays: &Arrays) -> Option<String> {
    let results = case["results"].as_array().unwrap();
    let mut model = match model(record, case) {
        Ok(model) => model,
        Err(error) => return (!results[0].is_null()).then(|| error.to_string()),
    };
    for (made, expected) in case["calls"].as_array().unwrap().iter().zip(results) {
        let (name, arguments) = (made["name"].as_str().unwrap(), &made["arguments"]);
        let wrong = match (call(&mut model, name, arguments, arrays), expected) {
            (Err(_), Json::Null) => return None,
            (Ok(found), Json::Null) => Some(format!("{found}, expected a refusal")),
            (Ok(found), expected) => difference(&found, expected),
            (Err(error), _) if is_known(&error) => return None,
            (Err(error), expected) => Some(format!("{error}, expected {expected}")),
        };
        if let Some(wrong) = wrong {
            return Some(format!("{name} {arguments} compiled by {}: {wrong}", case["compile"]));
        }
    }
    let weights: Json = weights(&model)
        .iter()
        .map(|v| v.value().unwrap().iter_f64().map(Json::from).collect::<Json>())
        .collect();
    let wrong = difference(&weights, &case["weights"])?;
    Some(format!("weights behind {}: {wrong}", case["calls"]))
}

fn is_known(error: &Error) -> bool {
    let text = error.to_string();
    REFUSED.iter().any(|(start, _)| text.starts_with(start))
}

#[test]
fn calls_give_what_they_give_in_keras() {
    let all: Json = serde_json::from_str(include_str!("models/calls.json")).unwrap();
    let arrays: Arrays = all["arrays"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, record)| (name.clone(), array(record).unwrap()))
        .collect();
    let mut failures = Vec::new();
    for (name, record) in all["models"].as_object().unwrap() {
        for case in record["cases"].as_array().unwrap() {
            failures.extend(check(record, case, &arrays).map(|wrong| format!("{name}: {wrong}")));
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}
