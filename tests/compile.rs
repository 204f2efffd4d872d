//! Losses, their weights and metrics reach the outputs that they reach in Keras, in all forms that Keras
//! takes; what Keras refuses is refused.

use keraunos::layers::config::Json;
use keraunos::models::{CustomObjects, InputSpec};
use keraunos::tensor::Tensor;
use keraunos::trainers::{Compile, Data, FitOptions, Logged};
use keraunos::{Device, Model, Result};

fn records() -> Vec<Json> {
    serde_json::from_str(include_str!("models/compile.json")).unwrap()
}

/// The logs of one step.
fn logs(model: &Json, arguments: &Json) -> Result<Vec<(String, f64)>> {
    let mut model = Model::from_config(model.clone(), &CustomObjects::new())?;
    let mut compile = Compile::new("sgd").loss(arguments["loss"].clone());
    compile = compile.loss_weights(arguments["loss_weights"].clone());
    compile = compile.metrics(arguments["metrics"].clone());
    model.compile(compile.weighted_metrics(arguments["weighted_metrics"].clone()))?;
    let x: Vec<f32> = (0..12).map(|i| (i % 5) as f32 - 2.0).collect();
    let label = |output: &InputSpec| {
        let columns = output.shape.0.last().copied().unwrap().unwrap();
        Tensor::new([4, columns], &vec![0.3f32; 4 * columns])
    };
    let labels: Vec<Tensor> = model.outputs().iter().map(label).collect::<Result<_>>()?;
    let data = Data::new(&[Tensor::new([4, 3], &x)?], &labels);
    let mut options = FitOptions { batch_size: Some(4), ..FitOptions::on(Device::Host) };
    let history = model.fit(&data, &mut options)?;
    let number = |values: &[Logged]| values[0].number().unwrap();
    Ok(history.history.iter().map(|(name, values)| (name.clone(), number(values))).collect())
}

fn check(record: &Json, case: &Json) -> Option<String> {
    let found = logs(&record["model"], &case["arguments"]);
    let wrong = match (&found, case["logs"].as_object()) {
        (Err(_), None) => false,
        (Ok(found), Some(expected)) => {
            found.len() != expected.len()
                || !found.iter().all(|(name, x)| {
                    let y = expected.get(name).and_then(Json::as_f64).unwrap_or(f64::NAN);
                    (x - y).abs() <= 1e-6 + 1e-5 * y.abs()
                })
        }
        _ => true,
    };
    let (name, arguments, expected) = (&record["name"], &case["arguments"], &case["logs"]);
    wrong.then(|| format!("{name} {arguments}: {found:?}, expected {expected}"))
}

#[test]
fn losses_and_metrics_reach_the_outputs_that_they_reach_in_keras() {
    let records = records();
    let checked = records.iter().flat_map(|record| {
        let cases = record["cases"].as_array().unwrap();
        cases.iter().filter_map(move |case| check(record, case))
    });
    let failures: Vec<String> = checked.collect();
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}
