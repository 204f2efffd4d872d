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

    /// The images, and where the case has them boxes and labels.
    fn inputs(&self) -> Vec<Tensor> {
        let shape = self.shape();
        let pixel = |i: usize| (255.0 * ((37 * i) % 101) as f64 / 101.0) as f32;
        let images: Vec<f32> = (0..shape.iter().product()).map(pixel).collect();
        let mut inputs = vec![Tensor::new(shape, &images).unwrap()];
        if self.numbers("boxes").is_some() {
            let boxes = [0.5f32, 1.0, 3.0, 4.0, 2.0, 0.0, 5.5, 2.5].repeat(3);
            inputs.push(Tensor::new([3, 2, 4], &boxes).unwrap());
            inputs.push(Tensor::new([3, 2], &[1.0f32, 2.0].repeat(3)).unwrap());
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
        let values: Vec<Value<'_>> =
            inputs.iter().map(|input| graph.input(Spec::clone(input.spec()))).collect();
        let args = match values.as_slice() {
            [images, boxes, labels] => Arg::Dict(vec![
                ("images".into(), Arg::Tensor(*images)),
                (
                    "bounding_boxes".into(),
                    Arg::Dict(vec![
                        ("boxes".into(), Arg::Tensor(*boxes)),
                        ("labels".into(), Arg::Tensor(*labels)),
                    ]),
                ),
            ]),
            values => Arg::Tensor(values[0]),
        };
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
        let expected = ["boxes", "labels", "output"].map(|key| self.numbers(key));
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
