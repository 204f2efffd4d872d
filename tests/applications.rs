//! `keras.applications` with random weights and random batch-norm statistics, against real Keras.
//!
//! `tests/keras/make_applications.py` writes the files (100 MB; `make test` does it); they are not in
//! the repository.

mod common;

use std::path::{Path, PathBuf};

use common::gpu;
use keraunos::program::Options;
use keraunos::saving::npz::read_npz;
use keraunos::{Device, load_model};

const NETWORKS: [&str; 3] = ["mobilenet_v2", "resnet50", "efficientnet_b0"];

/// Largest difference from Keras, as a part of the largest output.
const TOLERANCE: f64 = 1e-4;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/keras")
}

fn check(device: &Device) {
    for network in NETWORKS {
        for kind in ["logits", "probabilities"] {
            let path = folder().join(format!("{network}_{kind}.keras"));
            assert!(path.exists(), "{} is missing: run `make test`", path.display());
            let arrays = read_npz(&path.with_extension("npz")).unwrap();
            let array = |name: &str| arrays.iter().find(|(n, _)| n == name).unwrap().1.clone();
            let model = load_model(&path).unwrap();
            let found = model.call(&[array("x0")], device).unwrap().remove(0);
            let expected = array("y0");
            assert_eq!(found.spec(), expected.spec());
            let largest = expected.iter_f64().fold(0.0f64, |m, y| m.max(y.abs()));
            let pairs = found.iter_f64().zip(expected.iter_f64());
            let difference = pairs.map(|(f, e)| (f - e).abs()).fold(0.0f64, f64::max) / largest;
            println!("{network} {kind} on {device}: largest difference {difference:.2e}");
            assert!(difference <= TOLERANCE, "{network} {kind}: {difference}");
        }
    }
}

#[test]
fn applications_on_the_host() {
    check(&Device::Host);
}

#[test]
fn applications_on_the_gpu() {
    check(&gpu());
}

#[test]
fn mobilenet_has_one_dispatch_for_each_convolution() {
    let model = load_model(folder().join("mobilenet_v2_logits.keras")).unwrap();
    let spec = keraunos::base::Spec::new([1, 224, 224, 3], keraunos::DType::Float32);
    let mut program = model.program(&[spec]).unwrap();
    program.optimize(&Options::default(), &mut |_, _| {}).unwrap();
    let summary = keraunos::runtime::Compiled::describe(&program, &Options::default()).unwrap();
    let convolutions =
        model.layers().iter().filter(|l| l.base().class_name.ends_with("Conv2D")).count();
    // The other two are the global average and the dense layer behind it.
    assert_eq!(summary.regions.len(), convolutions + 2, "{summary}");
}
