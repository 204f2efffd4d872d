//! Variables that are larger than one binding of the device.

mod common;

use common::{assert_close, gpu};
use keraunos::layers::{Dense, Embedding, Flatten};
use keraunos::{DType, Device, Error, Functional, Tensor};

/// Bytes in one binding: the kernels below need several.
const LIMIT: u64 = 4096;

fn limited() -> Device {
    let device = gpu();
    if let Device::Gpu(gpu) = &device {
        gpu.set_binding_limit(LIMIT);
    }
    device
}

#[test]
fn products_and_lookups_are_cut_into_panels() {
    let mut graph = Functional::new();
    let tokens = graph.typed_input("tokens", [3], DType::Int32);
    let rows = graph.call(Embedding::new(130, 20), &[&tokens]);
    let flat = graph.call(Flatten::new(), &[&rows]);
    let out = graph.call(Dense::new(50).activation("tanh"), &[&flat]);
    let model = graph.build(&[&tokens], &[&out]).unwrap();
    let input = Tensor::new([2, 3], &[0i32, 51, 129, 64, 50, 102]).unwrap();
    let expected = model.call(std::slice::from_ref(&input), &Device::Host).unwrap();
    let saved: Vec<_> = model.variables().iter().map(|(_, v)| v.value().unwrap()).collect();

    let found = model.call(&[input], &limited()).unwrap();
    assert_close(&found[0], &expected[0], 1e-5, "panels");
    // What is read back from the panels is what went in.
    for ((path, variable), saved) in model.variables().iter().zip(saved) {
        assert_eq!(variable.value().unwrap(), saved, "{path}");
    }
}

#[test]
fn what_cannot_be_cut_is_refused_by_name() {
    let model = keraunos::Sequential::new([4]).add(Dense::new(2000).name("wide")).build().unwrap();
    let error =
        model.call(&[Tensor::zeros(keraunos::base::Spec::new([1, 4], DType::Float32))], &limited());
    let error = error.unwrap_err();
    assert!(matches!(error.root(), Error::Limit { .. }), "{error}");
    assert!(error.to_string().contains("'kernel' of layer 'wide'"), "{error}");
}
