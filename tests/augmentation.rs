//! Layers of images in training give what Keras gives for the same seed.

mod common;

use keraunos::Device;
use keraunos::base::{Nested, Spec};
use keraunos::graph::{Graph, Value};
use keraunos::layers::config::{Config, Json};
use keraunos::layers::{Arg, CallArgs, Context, registry};
use keraunos::program::{Options, Program};
use keraunos::runtime::Compiled;
use keraunos::tensor::Tensor;

/// One row of the recorded cases.
struct Case {
    record: Json,
}

impl Case {
    fn numbers(&self, key: &str) -> Option<Vec<f32>> {
        let numbers = self.record[key].as_array()?;
        Some(numbers.iter().map(|x| x.as_f64().unwrap() as f32).collect())
    }

    fn shape(&self) -> Vec<usize> {
        let extents = self.record["shape"].as_array().unwrap();
        extents.iter().map(|d| d.as_u64().unwrap() as usize).collect()
    }

    fn name(&self) -> String {
        format!("{} {}", self.record["class_name"], self.record["config"])
    }

    /// What the layer is given under each key of its mapping: a tensor, or the tensors of boxes.
    fn inputs(&self) -> Vec<(&'static str, Vec<Tensor>)> {
        let shape = self.shape();
        let pixel = |i: usize| (255.0 * ((37 * i) % 101) as f64 / 101.0) as f32;
        let images: Vec<f32> = (0..shape.iter().product()).map(pixel).collect();
        let images = Tensor::new(shape, &images).unwrap();
        let mut inputs = vec![("images", vec![images.clone()])];
        if self.numbers("boxes").is_some() {
            let boxes = [0.5f32, 1.0, 3.0, 4.0, 2.0, 0.0, 5.5, 2.5].repeat(3);
            let boxes = Tensor::new([3, 2, 4], &boxes).unwrap();
            let labels = Tensor::new([3, 2], &[1.0f32, 2.0].repeat(3)).unwrap();
            inputs.push(("bounding_boxes", vec![boxes, labels]));
        }
        if self.numbers("masks").is_some() {
            inputs.push(("segmentation_masks", vec![images]));
        }
        inputs
    }

    /// What the layer gives in training.
    fn compute(&self, device: &Device) -> Vec<Tensor> {
        let def = registry::find(self.record["class_name"].as_str().unwrap()).unwrap();
        let given = self.record["config"].as_object().unwrap().clone();
        let config = Config::new(def.class_name.into(), given, (def.defaults)());
        let layer = (def.new)(&config).unwrap();
        config.finish().unwrap();
        let (graph, inputs) = (Graph::new(), self.inputs());
        let value = |tensor: &Tensor| Arg::Tensor(graph.input(Spec::clone(tensor.spec())));
        let item = |(key, tensors): &(&str, Vec<Tensor>)| {
            let arg = match tensors.as_slice() {
                [boxes, labels] => Arg::Dict(vec![
                    ("boxes".into(), value(boxes)),
                    ("labels".into(), value(labels)),
                ]),
                tensors => value(&tensors[0]),
            };
            ((*key).to_owned(), arg)
        };
        let args: Arg<Value<'_>> = Arg::Dict(inputs.iter().map(item).collect());
        let inputs: Vec<Tensor> = inputs.into_iter().flat_map(|(_, tensors)| tensors).collect();
        let outputs = Context::new(&graph, true).call(layer.as_ref(), &CallArgs::one(args));
        let outputs: Vec<Nested<usize>> = outputs
            .map(|outputs| outputs.flatten().into_iter().map(|v| Nested::Leaf(v.id())).collect())
            .unwrap_or_default();
        let ids: Vec<usize> = outputs.iter().filter_map(|id| id.leaf().copied()).collect();
        let trace = graph.finish().unwrap_or_else(|error| panic!("{}: {error}", self.name()));
        let program = Program::new(trace, &ids);
        let options = Options::default();
        let compiled = Compiled::new(program, device, &options, &mut |_, _| {}).unwrap();
        compiled.run(&inputs).unwrap()
    }

    fn check(&self, device: &Device) -> Option<String> {
        let found = self.compute(device);
        // A mapping's values come in the order of its keys.
        let expected = ["boxes", "labels", "output", "masks"].map(|key| self.numbers(key));
        found.iter().zip(expected.into_iter().flatten()).find_map(|(found, expected)| {
            let pairs = found.iter_f64().zip(&expected).enumerate();
            let far = |(_, (x, y)): &(usize, (f64, &f32))| {
                let y = f64::from(**y);
                (x - y).abs() > 1e-3 + 1e-4 * y.abs()
            };
            let wrong: Vec<_> = pairs.filter(far).collect();
            let (i, (x, y)) = wrong.first()?;
            let (name, count) = (self.name(), wrong.len());
            Some(format!("{name}: {count} wrong, the first at {i}: {x}, expected {y}"))
        })
    }
}

fn cases() -> Vec<Case> {
    let records: Vec<Json> =
        serde_json::from_str(include_str!("models/augmentation.json")).unwrap();
    records.into_iter().map(|record| Case { record }).collect()
}

#[test]
fn training_draws_what_keras_draws() {
    let failures: Vec<String> =
        cases().iter().filter_map(|case| case.check(&Device::Host)).collect();
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn devices_draw_the_same() {
    let device = common::gpu();
    let some = ["RandomRotation", "RandomPerspective", "RandomColorJitter"];
    let mut classes = some.iter();
    let one = |class: &&str| cases().into_iter().find(|case| case.record["class_name"] == **class);
    let failures: Vec<String> =
        classes.by_ref().filter_map(|class| one(class)?.check(&device)).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What AugMix makes of the images of all cases.
fn mixed(config: &str, device: &Device) -> Vec<f64> {
    let record: Json = serde_json::from_str(config).unwrap();
    let record = serde_json::json!({
        "class_name": "AugMix", "config": record, "shape": [2, 4, 4, 3],
    });
    let found = Case { record }.compute(device);
    found[0].iter_f64().collect()
}

#[test]
fn chains_are_mixed_by_shares_of_one() {
    let images: Vec<f64> = Case {
        record: serde_json::json!({"class_name": "AugMix", "config": {}, "shape": [2, 4, 4, 3]}),
    }
    .inputs()[0]
        .1[0]
        .iter_f64()
        .collect();
    // Chains without operations leave the images as they are, whatever their shares.
    let same = mixed(r#"{"chain_depth": 0, "seed": 1}"#, &Device::Host);
    let far = same.iter().zip(&images).find(|(x, y)| (*x - *y).abs() > 1e-3);
    assert!(far.is_none(), "{far:?}");
    // Others change them, differently for each seed and equally for the same.
    let some = |seed: i64| {
        mixed(&format!(r#"{{"num_chains": 2, "chain_depth": 2, "seed": {seed}}}"#), &Device::Host)
    };
    let (first, second) = (some(2), some(3));
    assert!(first != images && first != second && first == some(2));
    assert!(first.iter().chain(&second).all(|x| (0.0..=255.0).contains(x)));
}
