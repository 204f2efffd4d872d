//! Random values: their distributions, the same bits on every device, the stream of a layer's keys.

use keraunos::Device;
use keraunos::base::DType;
use keraunos::graph::{Graph, Value};
use keraunos::program::{Options, Program};
use keraunos::runtime::Compiled;
use keraunos::tensor::Tensor;

/// What a function draws from the key (7, 1), on a device.
fn draw(device: &Device, f: impl for<'g> Fn(Value<'g>) -> Value<'g>) -> Vec<f64> {
    let graph = Graph::new();
    let key = Tensor::new([2], &[7u32, 1]).unwrap();
    let output = f(graph.input(key.spec().clone())).id();
    let program = Program::new(graph.finish().unwrap(), &[output]);
    let compiled = Compiled::new(program, device, &Options::default(), &mut |_, _| {}).unwrap();
    compiled.run(&[key]).unwrap()[0].iter_f64().collect()
}

fn moments(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let square = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64;
    (mean, square)
}

fn software() -> Device {
    Device::open("gpu").expect("these tests need an adapter, if a software one")
}

/// Draws enough that mean and variance lie within a fiftieth of what they should be.
const COUNT: usize = 100_000;

type Draw = for<'g> fn(Value<'g>) -> Value<'g>;

#[test]
fn distributions_have_their_mean_variance_and_range() {
    let cases: [(&str, Draw, f64, f64, f64, f64); 8] = [
        ("uniform", |k| k.uniform([COUNT], 2.0, 4.0, DType::Float32), 3.0, 1.0 / 3.0, 2.0, 4.0),
        ("uniform16", |k| k.uniform([COUNT], 0.0, 1.0, DType::Float16), 0.5, 1.0 / 12.0, 0.0, 1.0),
        ("normal", |k| k.normal([COUNT], DType::Float32), 0.0, 1.0, -6.0, 6.0),
        ("truncated", |k| k.truncated_normal([COUNT], DType::Float32), 0.0, 0.7741, -2.0, 2.0),
        ("bernoulli", |k| k.bernoulli([COUNT], 0.3).cast(DType::Float32), 0.3, 0.21, 0.0, 1.0),
        ("randint", |k| k.randint([COUNT], -3, 7).cast(DType::Float32), 1.5, 8.25, -3.0, 6.0),
        ("gamma", |k| k.gamma([COUNT], k.graph().scalar(2.5, DType::Float32)), 2.5, 2.5, 0.0, 40.0),
        (
            "beta",
            |k| {
                let s = |x| k.graph().scalar(x, DType::Float32);
                k.beta([COUNT], s(0.5), s(1.5))
            },
            0.25,
            0.0625,
            0.0,
            1.0,
        ),
    ];
    for (name, f, mean, variance, low, high) in cases {
        let values = draw(&Device::Host, f);
        let found = moments(&values);
        let near = |a: f64, b: f64| (a - b).abs() < 0.02 * b.abs().max(1.0);
        assert!(near(found.0, mean) && near(found.1, variance), "{name}: {found:?}");
        assert!(values.iter().all(|&x| (low..=high).contains(&x)), "{name}");
    }
}

#[test]
fn a_permutation_has_every_number_once() {
    let drawn = draw(&Device::Host, |k| k.permutation(50));
    let mut sorted = drawn.clone();
    sorted.sort_by(f64::total_cmp);
    assert_eq!(sorted, (0..50).map(f64::from).collect::<Vec<_>>());
    assert_ne!(sorted, drawn);
}

#[test]
fn a_gpu_draws_the_bits_of_the_host() {
    let bits: Draw = |k| {
        let keys = k.split_key(3);
        keys[1].random_bits([5, 7]) + keys[2].random_bits([7])
    };
    assert_eq!(draw(&Device::Host, bits), draw(&software(), bits));
    let normal: Draw = |k| k.normal([1000], DType::Float32);
    let pairs = draw(&Device::Host, normal).into_iter().zip(draw(&software(), normal));
    for (host, gpu) in pairs {
        assert!((host - gpu).abs() < 1e-5 * host.abs().max(1.0), "{host} and {gpu}");
    }
}
