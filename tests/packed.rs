//! Elements of fewer than 32 bits lie packed on a device: the memory they take, the numbers that come
//! of them, and what goes back.

mod common;

use std::sync::Arc;

use common::{assert_close, gpu};
use keraunos::base::Spec;
use keraunos::graph::Graph;
use keraunos::layers::*;
use keraunos::optimizers::SGD;
use keraunos::program::{Options, Program};
use keraunos::runtime::Compiled;
use keraunos::tensor::Variable;
use keraunos::trainers::{Compile, Data};
use keraunos::{
    DType, Device, Functional, LoadOptions, Model, Sequential, Tensor, load_model_with,
};

const HALVES: [(&str, DType); 2] = [("float16", DType::Float16), ("bfloat16", DType::BFloat16)];

fn numbers(shape: &[usize]) -> Tensor {
    let len: usize = shape.iter().product();
    let floats: Vec<f32> = (0..len).map(|i| (i as f32 * 0.37).sin() * 1.7).collect();
    Tensor::new(shape.to_vec(), &floats).unwrap()
}

/// Every kernel that reads a filter or the right operand of a product, with extents that are whole
/// words and such that are not.
fn images(policy: &str) -> Model {
    let mut graph = Functional::new();
    let input = graph.input("image", [9, 9, 3]);
    let mut x = graph.call(Conv2D::new(8, 3).padding("same").dtype(policy), &[&input]);
    x = graph.call(DepthwiseConv2D::new(3).padding("same").dtype(policy), &[&x]);
    x = graph.call(Conv2D::new(7, 1).activation("tanh").dtype(policy), &[&x]);
    x = graph.call(DepthwiseConv2D::new(3).padding("same").dtype(policy), &[&x]);
    x = graph.call(Conv2DTranspose::new(5, 3).strides(2).dtype(policy), &[&x]);
    x = graph.call(Conv2D::new(10, 2).groups(5).dtype(policy), &[&x]);
    x = graph.call(BatchNormalization::new().dtype(policy), &[&x]);
    x = graph.call(GlobalAveragePooling2D::new().dtype(policy), &[&x]);
    x = graph.call(Dense::new(9).activation("tanh").dtype(policy), &[&x]);
    let y = graph.call(Dense::new(4).dtype(policy), &[&x]);
    graph.build(&[&input], &[&y]).unwrap()
}

fn sequences(policy: &str) -> Model {
    let mut graph = Functional::new();
    let tokens = graph.typed_input("tokens", [6], DType::Int32);
    let mut x = graph.call(Embedding::new(11, 5).dtype(policy), &[&tokens]);
    x = graph.call(LSTM::new(7).return_sequences(true).dtype(policy), &[&x]);
    x = graph.call(Attention::new().dtype(policy), &[&x, &x]);
    let y = graph.call(GlobalAveragePooling1D::new().dtype(policy), &[&x]);
    graph.build(&[&tokens], &[&y]).unwrap()
}

fn at_rest(model: &Model) -> u64 {
    let variables = model.variables();
    variables.iter().map(|(_, v)| v.spec().bytes_at_rest() as u64).sum()
}

#[test]
fn halves_take_two_bytes_and_give_the_host_s_numbers() {
    for (policy, dtype) in HALVES {
        let tokens: Vec<i32> = (0..18).map(|i| i * 7 % 11).collect();
        for (model, x) in [
            (images(policy), numbers(&[3, 9, 9, 3])),
            (sequences(policy), Tensor::new([3, 6], &tokens).unwrap()),
        ] {
            let device = gpu();
            let Device::Gpu(adapter) = &device else { panic!("{device} is no adapter") };
            let x = std::slice::from_ref(&x);
            let expected = model.call(x, &Device::Host).unwrap();
            let before = adapter.memory_used();
            model.place(&device).unwrap();
            let elements: u64 =
                model.variables().iter().map(|(_, v)| v.spec().shape.len() as u64).sum();
            assert_eq!(adapter.memory_used() - before, at_rest(&model), "{policy}");
            assert!(at_rest(&model) < elements * 5 / 2, "{policy}: not packed");
            let found = model.call(x, &device).unwrap();
            // Sums in another order, rounded to a half after each operation.
            let digits = if dtype == DType::Float16 { 4e-3 } else { 3e-2 };
            assert_close(&found[0], &expected[0], digits, policy);
        }
    }
}

#[test]
fn a_product_reads_halves_without_a_copy_in_words() {
    let device = gpu();
    let Device::Gpu(adapter) = &device else { panic!("{device} is no adapter") };
    for (policy, _) in HALVES {
        let dense = Dense::new(500).dtype(policy).use_bias(false);
        let model = Sequential::new([301]).add(dense).build().unwrap();
        let x = numbers(&[2, 301]);
        let expected = model.call(std::slice::from_ref(&x), &Device::Host).unwrap();
        let before = adapter.memory_used();
        let found = model.call(&[x], &device).unwrap();
        let kernel = 301 * 500 * 2;
        let beside = adapter.memory_used() - before - kernel;
        assert!(beside < 16 << 10, "{policy}: {beside} bytes beside the kernel");
        // Every product is exact, every sum is of the same numbers.
        assert_close(&found[0], &expected[0], 4e-3, policy);
    }
}

#[test]
fn narrow_inputs_and_outputs_of_any_extents_go_through() {
    let device = gpu();
    let all = DType::ALL.into_iter().chain(DType::FLOAT8);
    for dtype in all.filter(|dtype| dtype.is_narrow()) {
        for shape in [vec![3, 5, 7], vec![4, 8], vec![1], vec![0, 3]] {
            let graph = Graph::new();
            let x = graph.input(Spec::new(shape.clone(), dtype));
            let state = Variable::new("state", false, Arc::new(numbers(&shape).cast(dtype)));
            let kept = graph.read(&state);
            // As it is, another shape of it, moved, computed, compared, and a float.
            let len = shape.iter().product::<usize>();
            let back: Vec<usize> = (0..shape.len()).rev().collect();
            let computed = x.cast(DType::Float32) * x.cast(DType::Float32).like(2.0);
            let computed = computed.cast(dtype);
            let outputs =
                [x, x.reshape([len]), x.transpose(&back), computed, x.binary("ge", kept), kept];
            let ids = outputs.map(keraunos::graph::Value::id);
            graph.assign(&state, computed);
            let program = Program::new(graph.finish().unwrap(), &ids);
            let input = [numbers(&shape).cast(dtype)];
            let expected = common::oracle(&program, &input);
            let options = Options::default();
            let plan = Compiled::new(program, &device, &options, &mut |_, _| {}).unwrap();
            let found = plan.run(&input).unwrap();
            for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert!(found == expected, "{dtype} {shape:?}, output {i}: {found:?}");
            }
            assert!(state.value().unwrap() == expected[3], "{dtype} {shape:?}: the variable");
        }
    }
}

#[test]
fn what_is_trained_in_halves_is_packed_again() {
    for (policy, dtype) in HALVES {
        let digits = if dtype == DType::Float16 { 4e-3 } else { 3e-2 };
        let trained = |device: &Device| {
            let mut model = Sequential::new([9, 9, 3])
                .add(Conv2D::new(5, 3).activation("tanh").dtype(policy))
                .add(GlobalAveragePooling2D::new().dtype(policy))
                .add(Dense::new(4).dtype(policy))
                .build()
                .unwrap();
            for (path, variable) in model.variables() {
                let noise = path.len() as f32;
                let values = numbers(&variable.spec().shape);
                let scaled = values.to_vec::<f32>().unwrap();
                let scaled: Vec<f32> = scaled.iter().map(|x| x * 0.2 + noise * 0.01).collect();
                let value = Tensor::new(variable.spec().shape.clone(), &scaled).unwrap();
                variable.assign(value.cast(variable.spec().dtype)).unwrap();
            }
            model
                .compile(Compile::new(SGD::new().learning_rate(0.25).momentum(0.5)).loss("mse"))
                .unwrap();
            let (x, y) = (numbers(&[4, 9, 9, 3]), numbers(&[4, 4]));
            let batch = Data::new(&[x], &[y]);
            for _ in 0..3 {
                model.train_on_batch(&batch, device).unwrap();
            }
            model.variables().iter().map(|(_, v)| v.value().unwrap()).collect::<Vec<_>>()
        };
        let (found, expected) = (trained(&gpu()), trained(&Device::Host));
        for (found, expected) in found.iter().zip(&expected) {
            assert_close(found, expected, digits * 4.0, policy);
        }
    }
}

#[test]
fn every_half_comes_out_of_its_word_as_it_is() {
    let device = gpu();
    for (name, dtype) in HALVES {
        let bytes = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        let all = Tensor::from_bytes(Spec::new([1, 1, 1 << 16], dtype), bytes).unwrap();
        let halves = Variable::new("halves", false, Arc::new(all));
        let graph = Graph::new();
        let one = graph.input(Spec::new([1, 1, 1], dtype));
        // By a kernel that unpacks pairs, and by one that is written for the formula.
        let outputs = [one.matmul(graph.read(&halves)), -graph.read(&halves)];
        let ids = outputs.map(keraunos::graph::Value::id);
        let program = Program::new(graph.finish().unwrap(), &ids);
        let input = [Tensor::new([1, 1, 1], &[1f32]).unwrap().cast(dtype)];
        let expected = common::oracle(&program, &input);
        let plan = Compiled::new(program, &device, &Options::default(), &mut |_, _| {}).unwrap();
        let found = plan.run(&input).unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            for (i, (f, e)) in found.iter_f64().zip(expected.iter_f64()).enumerate() {
                // A device may take float32's smallest numbers, which bfloat16 has, for zero.
                let tiny = e.abs() < f64::from(f32::MIN_POSITIVE) && f == 0.0;
                assert!(f == e || f.is_nan() && e.is_nan() || tiny, "{name} {i:#x}: {f}, not {e}");
            }
        }
    }
}

#[test]
fn a_file_is_believed_when_all_its_halves_were_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("halves.keras");
    let model = images("bfloat16");
    model.save(&path).unwrap();
    for _ in 0..20 {
        let options = LoadOptions { lazy: true, ..LoadOptions::default() };
        let again = load_model_with(&path, &options).unwrap();
        again.place(&Device::Host).unwrap();
        for ((path, found), (_, saved)) in again.variables().iter().zip(model.variables()) {
            assert!(found.value().unwrap() == saved.value().unwrap(), "{path}");
        }
    }
}
