//! Kernels chosen by measurement: the table, and what plans do with it.

use std::time::Duration;

use keraunos::base::Spec;
use keraunos::gpu::Gpu;
use keraunos::graph::Graph;
use keraunos::graph::ops::{ConvGeometry, ConvKind};
use keraunos::kernels::{Epilogue, MatMul, choose_matmul};
use keraunos::program::{Options, Program};
use keraunos::runtime::{Compiled, Measured, Tuning, Verdict};
use keraunos::{DType, Device, Tensor};
use serde_json::Value as Json;

const CONV: ConvGeometry = ConvGeometry {
    batch: 2,
    input: [1, 9, 9],
    in_channels: 3,
    output: [1, 9, 9],
    out_channels: 5,
    kernel: [1, 3, 3],
    stride: [1; 3],
    dilation: [1; 3],
    pad: [0, 1, 1],
    groups: 1,
};

fn shapes() -> [Spec; 4] {
    let kernel: &[usize] = &[5, 7];
    [CONV.x_shape(), CONV.kernel_shape(), kernel.into(), [300, 4].into()]
        .map(|shape| Spec::new(shape, DType::Float32))
}

/// A convolution with what is fused behind it, a product, and a reduction long enough to be shared.
fn program() -> Program {
    let graph = Graph::new();
    let [x, filter, kernel, long] = shapes().map(|spec| graph.input(spec));
    let y =
        (x.conv(filter, CONV, ConvKind::Forward) * 0.5).maximum(graph.scalar(0.0, DType::Float32));
    let y = y.reshape([1, 2 * 81, 5]).matmul(kernel.reshape([1, 5, 7])) + 1.0;
    let sums = long.sum(&[0]);
    let outputs = [y.id(), sums.id()];
    Program::new(graph.finish().unwrap(), &outputs)
}

fn inputs() -> Vec<Tensor> {
    let fill = |spec: Spec| {
        let numbers: Vec<f32> =
            (0..spec.shape.len()).map(|i| (i % 23) as f32 * 0.1 - 1.0).collect();
        Tensor::new(spec.shape, &numbers).unwrap()
    };
    shapes().map(fill).to_vec()
}

fn compile(device: &Device) -> Compiled {
    Compiled::new(program(), device, &Options::default(), &mut |_, _| {}).unwrap()
}

fn adapter() -> Device {
    Device::open("gpu").expect("these tests need an adapter, if a software one")
}

fn measure(device: &Device) -> (Tuning, Vec<Measured>) {
    let mut found = Vec::new();
    let each = &mut |measured: &Measured| found.push(measured.clone());
    let tuning = Tuning::measure(&[&compile(device)], device, Duration::ZERO, each).unwrap();
    (tuning, found)
}

fn gpu(device: &Device) -> &Gpu {
    match device {
        Device::Gpu(gpu) => gpu,
        Device::Host => panic!("an adapter"),
    }
}

/// The kernel of the product in the program.
fn kernel_of_product(device: &Device) -> &'static str {
    let problem = MatMul {
        batch: 1,
        m: 2 * 81,
        n: 7,
        k: 5,
        a_batch: false,
        b_batch: false,
        transpose_a: false,
        transpose_b: false,
        halves: false,
    };
    choose_matmul(&problem, gpu(device).caps(), &Epilogue::identity()).unwrap().kernel
}

/// The table with another kernel for every problem, where there is one.
fn contrary(tuning: &Tuning) -> Tuning {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.json");
    tuning.save(&path).unwrap();
    let mut json: Json = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for adapter in json["adapters"].as_array_mut().unwrap() {
        for tuned in adapter["problems"].as_object_mut().unwrap().values_mut() {
            let names = tuned["seconds"].as_object().unwrap().keys();
            let other = names.clone().find(|name| tuned["fastest"] != name.as_str());
            tuned["fastest"] = other.expect("several kernels are right").as_str().into();
        }
    }
    Tuning::parse(&json.to_string()).unwrap()
}

#[test]
fn every_kernel_of_every_problem_is_measured_and_right() {
    let device = adapter();
    let (tuning, found) = measure(&device);
    let problems: Vec<&str> = found.iter().map(|m| m.problem.split(' ').next().unwrap()).collect();
    assert_eq!(problems, ["conv", "matmul", "reduce"]);
    for measured in &found {
        assert!(measured.kernels.len() > 1 && measured.fastest.is_some(), "{measured:?}");
        let right = |(_, verdict): &(_, Verdict)| matches!(verdict, Verdict::Right(s) if *s > 0.0);
        assert!(measured.kernels.iter().all(right), "{measured:?}");
    }
    assert_eq!(tuning.problems(&device).count(), found.len());
    assert!(Tuning::measure(&[], &Device::Host, Duration::ZERO, &mut |_| ()).is_err());
}

#[test]
fn a_table_changes_the_kernels_and_not_the_results() {
    let device = adapter();
    let (tuning, _) = measure(&device);
    let [one, other] = [tuning.clone(), contrary(&tuning)].map(|table| device.tuned(&table));
    assert_ne!(kernel_of_product(&one), kernel_of_product(&other));
    assert!(device.is(&other) && !one.plans_as(&other) && one.plans_as(&device.tuned(&tuning)));
    let expected = compile(&Device::Host).run(&inputs()).unwrap();
    for device in [&device, &one, &other] {
        let found = compile(device).run(&inputs()).unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            let [found, expected] = [found, expected].map(|t| t.to_vec::<f32>().unwrap());
            let close = |(f, e): (&f32, &f32)| (f - e).abs() <= 1e-4 * e.abs().max(1.0);
            assert!(found.iter().zip(&expected).all(close));
        }
    }
}

#[test]
fn a_table_of_another_adapter_driver_or_kernels_is_of_no_use() {
    let device = adapter();
    let (tuning, _) = measure(&device);
    assert_eq!(tuning.mismatch(&device), None);
    assert_eq!(tuning.mismatch(&Device::Host), None);
    let usual = kernel_of_product(&device.tuned(&Tuning::default()));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.json");
    contrary(&tuning).save(&path).unwrap();
    let json: Json = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for (key, says) in [("name", "no adapter"), ("driver", "driver"), ("kernels", "kernels")] {
        let mut changed = json.clone();
        changed["adapters"][0][key] = "another".into();
        let table = Tuning::parse(&changed.to_string()).unwrap();
        assert!(table.mismatch(&device).unwrap().contains(says), "{key}");
        assert_eq!(kernel_of_product(&device.tuned(&table)), usual, "{key}");
    }
    // A kernel that is not there, or that cannot compute the problem, is not used.
    for name in ["magic", "conv_gemm"] {
        let mut changed = json.clone();
        for tuned in changed["adapters"][0]["problems"].as_object_mut().unwrap().values_mut() {
            tuned["seconds"][name] = 0.1.into();
            tuned["fastest"] = name.into();
        }
        let table = Tuning::parse(&changed.to_string()).unwrap();
        assert_eq!(kernel_of_product(&device.tuned(&table)), usual, "{name}");
    }
}
