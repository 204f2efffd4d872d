//! Quantized layers: no float copy of a kernel, the same numbers on every executor, and the sums of
//! 32-bit integers.

mod common;

use common::{assert_close, gpu};
use keraunos::program::{Options, Program};
use keraunos::runtime::Compiled;
use keraunos::{CustomObjects, DType, Device, Model, Tensor};
use serde_json::{Value as Json, json};

fn record(class: &str, config: &Json) -> Json {
    json!({"module": "keras.layers", "class_name": class, "config": config,
           "registered_name": null})
}

/// A model of one layer whose weights are noise.
fn model(class: &str, input: &[usize], mut config: Json, mode: &str) -> Model {
    config["dtype"] = json!(format!("{mode}_from_float32"));
    config["name"] = json!("layer");
    let shape: Vec<Json> =
        [Json::Null].into_iter().chain(input.iter().map(|&d| json!(d))).collect();
    let input = json!({"name": "x", "batch_shape": shape, "dtype": "float32"});
    let layers = json!([record("InputLayer", &input), record(class, &config)]);
    let root = json!({"module": "keras", "class_name": "Sequential", "registered_name": null,
                      "config": {"name": "model", "layers": layers}});
    let model = Model::from_config(root, &CustomObjects::new()).unwrap();
    for (path, variable) in model.variables() {
        let spec = variable.spec().clone();
        // The groups of inputs are as the layer made them.
        if variable.name() == "g_idx" {
            continue;
        }
        let seed = path.bytes().map(u64::from).sum::<u64>();
        let bytes = (0..spec.shape.len() as u64).map(|i| noise(seed, i));
        let value = match spec.dtype {
            DType::Float32 => {
                let floats: Vec<f32> = bytes.map(|b| 0.5 + f32::from(b) / 256.0).collect();
                Tensor::new(spec.shape.clone(), &floats).unwrap()
            }
            _ => Tensor::from_bytes(spec, bytes.collect()).unwrap(),
        };
        variable.assign(value).unwrap();
    }
    model
}

fn noise(seed: u64, i: u64) -> u8 {
    (seed.wrapping_add(i).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 41) as u8
}

const MODES: [&str; 7] = ["int8", "int4", "int4/5", "gptq/4/8", "gptq/2/-1", "gptq/8/4", "awq/4/8"];

/// Dense and EinsumDense of 24 inputs and 2 · 9 or 19 outputs, in every mode that they have.
fn models() -> Vec<(String, Model)> {
    let dense = json!({"units": 19});
    let einsum = json!({"equation": "abc,cde->abde", "output_shape": [null, 2, 9],
                        "bias_axes": "de"});
    let of = |mode: &str| {
        let name = |class: &str| format!("{class} in {mode}");
        [
            (name("Dense"), model("Dense", &[24], dense.clone(), mode)),
            (name("EinsumDense"), model("EinsumDense", &[3, 24], einsum.clone(), mode)),
        ]
    };
    let ternary = ("Dense in ternary".to_owned(), model("Dense", &[24], dense.clone(), "ternary"));
    MODES.into_iter().flat_map(of).chain([ternary]).collect()
}

fn input(model: &Model) -> Tensor {
    let shape = model.inputs()[0].shape.filled(4);
    let floats: Vec<f32> =
        (0..shape.len() as u64).map(|i| f32::from(noise(7, i)) / 64.0 - 2.0).collect();
    Tensor::new(shape, &floats).unwrap()
}

/// The values that a program and its prelude store in a float dtype.
fn stored_floats(program: &Program) -> Vec<usize> {
    let regions = keraunos::program::pass::fuse::run(program, true).unwrap();
    let specs = regions.regions.iter().map(|region| &program.nodes[region.root].spec);
    let floats = specs.filter(|spec| spec.dtype.is_float()).map(|spec| spec.shape.len());
    let prelude = program.prelude.iter().flat_map(|prelude| stored_floats(prelude));
    floats.chain(prelude).collect()
}

#[test]
fn no_float_kernel_is_stored() {
    for (name, model) in models() {
        let x = input(&model);
        let mut program = model.program(&[x.spec().clone()]).unwrap();
        program.optimize(&Options::default(), &mut |_, _| {}).unwrap();
        let largest = stored_floats(&program).into_iter().max().unwrap();
        // The kernels have 24 · 18 elements or more; inputs and outputs of four rows have fewer.
        assert!(largest < 24 * 18, "{name} stores {largest} floats\n{program}");
    }
}

#[test]
fn gpu_agrees_with_the_host() {
    let gpu = gpu();
    for (name, model) in models() {
        let x = input(&model);
        let program = model.program(&[x.spec().clone()]).unwrap();
        let run = |device: &Device| {
            let options = Options::default();
            Compiled::new(program.clone(), device, &options, &mut |_, _| {})
                .unwrap()
                .run(std::slice::from_ref(&x))
                .unwrap()
        };
        let (found, expected) = (run(&gpu), run(&Device::Host));
        assert_close(&found[0], &expected[0], 1e-5, &name);
    }
}

#[test]
fn long_sums_of_bytes_are_exact() {
    // One row of 3000 inputs that are all the largest, and a kernel of bytes: with a scale of 127 / 1,
    // the output is the sum of the bytes.
    let model = model("Dense", &[3000], json!({"units": 2, "use_bias": false}), "int8");
    let variable = |name: &str| {
        model.variables().into_iter().map(|(_, v)| v).find(|v| v.name() == name).unwrap()
    };
    let kernel: Vec<i8> =
        (0..6000).map(|i| if i % 2 == 0 { 127 } else { (i % 251) as i8 }).collect();
    let sum =
        |column: usize| kernel.iter().skip(column).step_by(2).map(|&k| i64::from(k)).sum::<i64>();
    let ones = Tensor::new([2], &[1f32, 1.0]).unwrap();
    variable("kernel_scale").assign(ones).unwrap();
    let expected = [sum(0) * 127, sum(1) * 127];
    variable("kernel").assign(Tensor::new([3000, 2], &kernel).unwrap()).unwrap();
    let x = Tensor::new([1, 3000], &vec![1f32; 3000]).unwrap();
    let y = model.call(&[x], &Device::Host).unwrap()[0].to_vec::<f32>().unwrap();
    let scale = 127.0 / (1.0f32 + 1e-7);
    for (y, expected) in y.iter().zip(expected) {
        assert_eq!(*y, expected as f32 / scale);
    }
}

#[test]
fn einsum_dense_has_no_ternary_mode() {
    let config = json!({"equation": "ab,bc->ac", "output_shape": 3, "name": "einsum",
                        "dtype": "ternary_from_float32"});
    let input = json!({"name": "x", "batch_shape": [null, 4], "dtype": "float32"});
    let layers = json!([record("InputLayer", &input), record("EinsumDense", &config)]);
    let root = json!({"module": "keras", "class_name": "Sequential", "registered_name": null,
                      "config": {"name": "model", "layers": layers}});
    let error = Model::from_config(root, &CustomObjects::new()).unwrap_err().to_string();
    assert!(error.contains("EinsumDense 'einsum' in mode ternary"), "{error}");
}

#[test]
fn a_kernel_that_changes_is_packed_anew() {
    for (name, model) in models() {
        let x = input(&model);
        let run = || model.call(std::slice::from_ref(&x), &Device::Host).unwrap().remove(0);
        let (before, again) = (run(), run());
        assert!(before == again, "{name}: what was kept gives other numbers");
        let variables = model.variables();
        let numbers = variables.iter().map(|(_, v)| v).find(|v| v.spec().dtype.size() == 1);
        let numbers = numbers.unwrap();
        let value = numbers.value().unwrap();
        let other = value.bytes().iter().map(|byte| byte ^ 0x55).collect();
        numbers.assign(Tensor::from_bytes(value.spec().clone(), other).unwrap()).unwrap();
        assert!(run() != before, "{name}: the kernel of before");
        numbers.assign(value).unwrap();
        assert!(run() == before, "{name}: the kernel is back");
    }
}
