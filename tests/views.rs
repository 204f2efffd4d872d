//! Maps that read along other axes than they store, of extents that fill no tile, against the oracle.

mod common;

use common::{assert_close, gpu, oracle};
use keraunos::DType;
use keraunos::base::Spec;
use keraunos::gpu::{Caps, Kind, Recording, Step, Work};
use keraunos::graph::{Graph, Value};
use keraunos::kernels::{Access, map};
use keraunos::program::Program;
use keraunos::program::pass::fuse;
use keraunos::runtime::Device;
use keraunos::tensor::{Array, Tensor};

/// Runs a formula's only region as real GPUs do, on whatever adapter there is; gives the kernel.
fn check(shape: &[usize], formula: impl for<'g> Fn(Value<'g>) -> Value<'g>) -> &'static str {
    let device = gpu();
    let Device::Gpu(gpu) = &device else { panic!("{device} is no adapter") };
    let caps = Caps { kind: Kind::Discrete, ..gpu.caps().clone() };
    let graph = Graph::new();
    let output = formula(graph.input(Spec::new(shape, DType::Float32))).id();
    let program = Program::new(graph.finish().unwrap(), &[output]);
    let numbers: Vec<f32> = (0..shape.iter().product()).map(|i: usize| i as f32).collect();
    let input = Tensor::new(shape, &numbers).unwrap();
    let expected = oracle(&program, std::slice::from_ref(&input)).remove(0);
    let regions = fuse::run(&program, true).unwrap().regions;
    let [region] = &regions[..] else { panic!("{shape:?} is not one region") };
    let dtype_of = |_| DType::Float32;
    let access = Access::whole(&dtype_of);
    let (launch, reads) = map::launch(&region.body, numbers.len(), &caps, &access).unwrap();
    assert_eq!(reads.len(), 1);
    let kernel = launch.kernel;
    let bytes = numbers.len() as u64 * 4;
    let buffers =
        [gpu.create_buffer(bytes, "in").unwrap(), gpu.create_buffer(bytes, "out").unwrap()];
    gpu.upload_words(bytemuck::cast_slice(&numbers), &buffers[0]).unwrap();
    // What a kernel leaves out must not be right by chance.
    gpu.upload_words(&vec![0x55; bytes as usize], &buffers[1]).unwrap();
    let out = buffers[1].clone();
    let step = Step { launch, buffers: buffers.to_vec() };
    Recording::new(gpu, vec![Work::Step(step)]).unwrap().run().unwrap();
    let mut words = Vec::new();
    gpu.download(&out, 0, bytes, &mut |piece| {
        words.extend_from_slice(piece);
        Ok(())
    })
    .unwrap();
    let found = Array::from_word_bytes(expected.spec().clone(), &words).to_tensor();
    assert_close(&found, &expected, 1e-6, &format!("{shape:?}"));
    kernel
}

#[test]
fn transposes_of_awkward_extents() {
    for [rows, columns] in [[8, 8], [9, 17], [64, 33], [100, 8], [257, 300]] {
        assert_eq!(check(&[rows, columns], |x| x.transpose(&[1, 0])), "map_tiled");
    }
    // Too narrow for tiles.
    assert_eq!(check(&[7, 40], |x| x.transpose(&[1, 0])), "map");
    for permutation in
        [[0, 2, 1, 3], [3, 2, 1, 0], [1, 3, 0, 2], [0, 3, 1, 2], [2, 3, 1, 0], [3, 0, 1, 2]]
    {
        check(&[3, 18, 2, 21], |x| x.transpose(&permutation));
        check(&[11, 9, 10, 8], |x| x.transpose(&permutation));
    }
}

#[test]
fn transposes_with_what_is_around_them() {
    check(&[19, 40], |x| {
        let turned = x.transpose(&[1, 0]);
        let first = turned.slice(&[0, 0], &[40, 1], &[1, 1]).broadcast([40, 19]);
        turned.reverse(&[0]) * 2.0 + first
    });
    check(&[4, 12, 10], |x| {
        let turned = x.transpose(&[0, 2, 1]).reshape([40, 12]);
        turned + x.reshape([40, 12])
    });
}
