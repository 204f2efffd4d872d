//! Models made in Rust: real Keras opens their files and predicts the same.

mod common;

use std::path::Path;
use std::process::Command;

use common::assert_close;
use common::random_graph::Rng;
use keraunos::base::Shape;
use keraunos::layers::*;
use keraunos::saving::npz::{read_npz, write_npz};
use keraunos::{DType, Device, Functional, Model, Sequential, Tensor, load_model};

/// The example of the Keras documentation.
fn documentation() -> Model {
    Sequential::new([3]).add(Dense::new(5)).add(Softmax::new()).build().unwrap()
}

fn convolutions() -> Model {
    Sequential::new([16, 16, 3])
        .name("convolutions")
        .add(Conv2D::new(8, 3).padding("same").use_bias(false))
        .add(BatchNormalization::new())
        .add(ReLU::new().max_value(6.0))
        .add(DepthwiseConv2D::new(3).strides(2).activation("silu"))
        .add(SeparableConv2D::new(6, 3))
        .add(MaxPooling2D::new())
        .add(Conv2DTranspose::new(4, 2).strides(2))
        .add(LeakyReLU::new())
        .add(GlobalAveragePooling2D::new())
        .add(Dropout::new(0.5))
        .add(LayerNormalization::new())
        .add(Dense::new(4).activation("softmax"))
        .build()
        .unwrap()
}

fn graph() -> Model {
    let mut graph = Functional::new().name("graph");
    let tokens = graph.typed_input("tokens", [6], DType::Int32);
    let x = graph.input("x", [8]);
    let rows = graph.call(Embedding::new(20, 8), &[&tokens]);
    let rows = graph.call(GlobalAveragePooling1D::new(), &[&rows]);
    let shared = graph.layer(Dense::new(8).activation("gelu").kernel_initializer("he_normal"));
    let a = graph.call_shared(&shared, &[&x]);
    let b = graph.call_shared(&shared, &[&rows]);
    let sum = graph.call(Add::new(), &[&a, &b]);
    let all = graph.call(Concatenate::new(), &[&sum, &x]);
    let first = graph.call(Dense::new(3).name("first"), &[&all]);
    let second = graph.call(Dense::new(1).activation("sigmoid").name("second"), &[&sum]);
    graph.build(&[&tokens, &x], &[&first, &second]).unwrap()
}

/// Keras gives the average the mask of the embedding, which no argument in the file says.
fn masked() -> Model {
    let mut graph = Functional::new().name("masked");
    let tokens = graph.typed_input("tokens", [6], DType::Int32);
    let rows = graph.call(Embedding::new(20, 8).mask_zero(true), &[&tokens]);
    let rows = graph.call(Dense::new(5).activation("tanh"), &[&rows]);
    let mean = graph.call(GlobalAveragePooling1D::new(), &[&rows]);
    graph.build(&[&tokens], &[&mean]).unwrap()
}

fn inputs(model: &Model) -> Vec<Tensor> {
    let mut rng = Rng(7);
    let one = |spec: keraunos::models::InputSpec| {
        let shape: Shape = spec.shape.filled(10);
        if spec.dtype == DType::Int32 {
            let tokens: Vec<i32> = (0..shape.len()).map(|_| rng.below(5) as i32).collect();
            Tensor::new(shape, &tokens).unwrap()
        } else {
            rng.tensor(&shape)
        }
    };
    model.inputs().into_iter().map(one).collect()
}

fn numbered(prefix: &str, tensors: &[Tensor]) -> Vec<(String, Tensor)> {
    tensors.iter().enumerate().map(|(i, t)| (format!("{prefix}{i}"), t.clone())).collect()
}

#[test]
fn a_saved_model_loads_and_predicts_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for model in [documentation(), convolutions(), graph(), masked()] {
        let path = folder.path().join(format!("{}.keras", model.name()));
        model.save(&path).unwrap();
        let loaded = load_model(&path).unwrap();
        let inputs = inputs(&model);
        let expected = model.call(&inputs, &Device::Host).unwrap();
        let found = loaded.call(&inputs, &Device::Host).unwrap();
        assert_eq!(found, expected, "{}", model.name());
        assert_eq!(loaded.summary(), model.summary());
    }
}

#[test]
fn real_keras_opens_the_files_and_predicts_the_same() {
    let Ok(python) = std::env::var("KERAUNOS_PYTHON") else {
        panic!("KERAUNOS_PYTHON is not set: run `make test`, which installs real Keras");
    };
    if python == "none" {
        eprintln!("skipped: KERAUNOS_PYTHON=none asks to go without real Keras");
        return;
    }
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keras/judge.py");
    let folder = tempfile::tempdir().unwrap();
    for model in [documentation(), convolutions(), graph(), masked()] {
        let path = |ending: &str| folder.path().join(format!("{}{ending}", model.name()));
        model.save(path(".keras")).unwrap();
        let inputs = inputs(&model);
        write_npz(&path(".in.npz"), &numbered("x", &inputs)).unwrap();
        let mut command = Command::new(&python);
        command.arg(&judge).arg("predict").arg(path(".keras")).arg(path(".in.npz"));
        let output = command.arg(path(".out.npz")).env("KERAS_BACKEND", "jax").output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {text}", model.name());
        let found = model.call(&inputs, &Device::Host).unwrap();
        let expected = read_npz(&path(".out.npz")).unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, (name, expected)) in found.iter().zip(&expected) {
            assert_close(found, expected, 1e-5, &format!("{} {name}", model.name()));
        }
    }
}
