//! Programs for a part of the samples: only where each goes its own way, and then with its results.

mod common;

use common::{assert_close, oracle};
use keraunos::DType;
use keraunos::base::Spec;
use keraunos::graph::ops::{ConvGeometry, ConvKind, Pool, PoolMode};
use keraunos::graph::{Graph, Value};
use keraunos::program::pass::samples;
use keraunos::program::{Options, Program};
use keraunos::runtime::{Compiled, Device};
use keraunos::tensor::Tensor;

const SHAPE: [usize; 4] = [6, 5, 5, 4];
const PARTS: usize = 3;

fn numbers(shape: &[usize]) -> Tensor {
    let number = |i: usize| ((i * 7919 + 13) % 1009) as f32 / 504.5 - 1.0;
    let all: Vec<f32> = (0..shape.iter().product()).map(number).collect();
    Tensor::new(shape, &all).unwrap()
}

fn program(shape: &[usize], formula: impl for<'g> Fn(Value<'g>) -> Value<'g>) -> Program {
    let graph = Graph::new();
    let output = formula(graph.input(Spec::new(shape, DType::Float32))).id();
    let mut program = Program::new(graph.finish().unwrap(), &[output]);
    program.optimize(&Options::default(), &mut |_, _| {}).unwrap();
    program
}

fn constant<'g>(like: Value<'g>, shape: &[usize]) -> Value<'g> {
    like.graph().constant(numbers(shape))
}

fn convolved<'g>(x: Value<'g>, kernel: Value<'g>) -> Value<'g> {
    let geometry = ConvGeometry {
        batch: 6,
        input: [1, 5, 5],
        in_channels: 4,
        output: [1, 5, 5],
        out_channels: 8,
        kernel: [1, 3, 3],
        stride: [1; 3],
        dilation: [1; 3],
        pad: [0, 1, 1],
        groups: 1,
    };
    x.reshape([6, 1, 5, 5, 4]).conv(kernel, geometry, ConvKind::Forward)
}

fn pooled(x: Value<'_>) -> Value<'_> {
    x.reshape([6, 1, 5, 5, 4]).pool(Pool {
        mode: PoolMode::Max,
        batch: 6,
        input: [1, 5, 5],
        channels: 4,
        output: [1, 2, 2],
        window: [1, 2, 2],
        stride: [1, 2, 2],
        pad: [0; 3],
    })
}

fn attention(x: Value<'_>) -> Value<'_> {
    let x = x.reshape([6, 25, 4]);
    x.matmul_flags(x, false, true).softmax(&[2]).matmul(x)
}

type Formula = for<'g> fn(Value<'g>) -> Value<'g>;

#[test]
fn parts_give_what_the_whole_gives() {
    let formulas: [(&str, Formula); 12] = [
        ("bias and activation", |x| (x + constant(x, &[4])).maximum(x.like(0.0)) * 3.0),
        ("convolution", |x| convolved(x, constant(x, &[1, 3, 3, 4, 8])) + 1.0),
        ("rows of all samples", |x| {
            x.reshape([1, 150, 4]).matmul(constant(x, &[1, 4, 3])).reshape([6, 5, 15]).tanh()
        }),
        ("attention", attention),
        ("pooling", pooled),
        ("mean of each", |x| x.mean(&[1, 2])),
        ("largest of each", |x| x.reshape([6, 100]).argmax(1)),
        ("axes of each exchanged", |x| x.transpose(&[0, 3, 1, 2]).exp()),
        ("some of each, padded", |x| {
            x.narrow(2, 1, 3).pad(&[0, 1, 0, 0], &[0, 0, 2, 0], 0.5).reverse(&[1])
        }),
        ("channels joined", |x| x.graph().concat(&[x, x * 2.0], 3)),
        ("rows looked up", |x| {
            let indices = (x.abs() * 9.0).cast(DType::Int32);
            constant(x, &[9, 2]).gather(indices, 0)
        }),
        ("a number for each", |x| x / x.sum(&[1, 2, 3]).keep_axes(&x.shape(), &[1, 2, 3])),
    ];
    let input = numbers(&SHAPE);
    for (what, formula) in formulas {
        let whole = program(&SHAPE, formula);
        let part = samples::part(&whole, PARTS).unwrap_or_else(|| panic!("{what} has no parts"));
        part.verify().unwrap();
        let rows = SHAPE[0] / PARTS;
        let parts = (0..PARTS)
            .map(|i| oracle(&part, &[input.rows(i * rows, rows).unwrap()]).remove(0))
            .collect::<Vec<_>>();
        let joined = Tensor::concat_rows(&parts.iter().collect::<Vec<_>>()).unwrap();
        assert_close(&joined, &oracle(&whole, std::slice::from_ref(&input))[0], 1e-6, what);
    }
}

#[test]
fn samples_that_look_at_others_are_not_parted() {
    let formulas: [(&str, Formula); 11] = [
        ("mean of all", |x| x - x.mean(&[0]).broadcast(SHAPE)),
        ("samples reversed", |x| x.reverse(&[0])),
        ("every other sample", |x| x.slice(&[0; 4], &[3, 5, 5, 4], &[2, 1, 1, 1])),
        ("samples in another place", |x| x.transpose(&[1, 0, 2, 3])),
        ("samples behind each other", |x| x.graph().concat(&[x, x], 0)),
        ("padding in front of all", |x| x.pad(&[6, 0, 0, 0], &[0; 4], 0.0)),
        ("halves of all", |x| x.reshape([2, 300]).sum(&[1]).broadcast([6, 2])),
        ("products of samples", |x| {
            let x = x.reshape([1, 6, 100]);
            x.matmul_flags(x, false, true).reshape([6, 6])
        }),
        ("a filter for each place", |x| x * constant(x, &SHAPE)),
        ("the position of a sample", |x| x + x.graph().iota(SHAPE, 0).cast(DType::Float32)),
        ("a filter from the samples", |x| {
            convolved(x, x.reshape([600]).narrow(0, 0, 288).reshape([1, 3, 3, 4, 8]))
        }),
    ];
    for (what, formula) in formulas {
        assert!(samples::part(&program(&SHAPE, formula), PARTS).is_none(), "{what} has parts");
    }
    let plain: Formula = |x| x * 2.0;
    assert!(samples::part(&program(&SHAPE, plain), 4).is_none(), "parts of 6 samples by 4");
}

/// What lies between the two products takes more than caches are taken to hold.
#[test]
fn the_host_takes_large_batches_in_parts() {
    let shape = [4, 80_000, 4];
    let program = program(&shape, |x| {
        let inner = x.reshape([1, 320_000, 4]).matmul(constant(x, &[1, 4, 16])).tanh();
        inner.matmul(constant(x, &[1, 16, 2])).reshape([4, 160_000])
    });
    let input = numbers(&shape);
    let expected = oracle(&program, std::slice::from_ref(&input)).remove(0);
    let plan = Compiled::new(program, &Device::Host, &Options::default(), &mut |_, _| {}).unwrap();
    let inner = plan.summary().peak_live;
    assert!(inner < 16 << 20, "{inner} bytes alive at a time");
    let found = plan.run(std::slice::from_ref(&input)).unwrap().remove(0);
    assert_close(&found, &expected, 1e-5, "products in parts");
    assert_eq!(plan.run_timed(&[input]).unwrap().len(), plan.summary().regions.len());
}
