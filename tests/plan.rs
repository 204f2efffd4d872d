//! What plans look like: how many dispatches, which buffers.

mod common;

use std::collections::HashMap;

use common::random_graph::sample;
use keraunos::base::Spec;
use keraunos::graph::{Graph, NodeId, Value};
use keraunos::layers::{BatchNormalization, Conv2D, Dense, ReLU};
use keraunos::program::pass::{fuse, memory, storage_of};
use keraunos::program::{Options, Program};
use keraunos::runtime::Compiled;
use keraunos::{DType, Sequential};

fn f32(shape: &[usize]) -> Spec {
    Spec::new(shape, DType::Float32)
}

/// Dispatches of a formula of inputs of these shapes.
fn dispatches<const N: usize>(
    shapes: [&[usize]; N],
    formula: impl for<'g> Fn([Value<'g>; N]) -> Value<'g>,
) -> usize {
    let graph = Graph::new();
    let output = formula(shapes.map(|shape| graph.input(f32(shape)))).id();
    let mut program = Program::new(graph.finish().unwrap(), &[output]);
    program.optimize(&Options::default(), &mut |_, _| {}).unwrap();
    Compiled::describe(&program, &Options::default()).unwrap().regions.len()
}

#[test]
fn elementwise_chains_are_one_dispatch() {
    assert_eq!(dispatches([&[8, 8], &[8, 8], &[8]], |[a, b, c]| (a + b) * c), 1);
    assert_eq!(dispatches([&[8, 8]], |[x]| x * x.sigmoid() + x.tanh()), 1);
    // Views cost nothing.
    assert_eq!(
        dispatches([&[4, 6]], |[x]| x.transpose(&[1, 0]).reshape([24]).reverse(&[0]) * 2.0),
        1
    );
}

#[test]
fn reductions_take_what_is_in_front_and_behind() {
    assert_eq!(dispatches([&[8, 16]], |[x]| (x * x).mean(&[1]).sqrt()), 1);
    // Maximum, sum of exponentials, division: all of a row.
    assert_eq!(dispatches([&[8, 16]], |[x]| x.softmax(&[1])), 1);
}

#[test]
fn products_take_bias_activation_and_residual() {
    let formula = |[x, w, b, r]: [Value<'_>; 4]| {
        let y = x.dot(w) + b;
        (y * y.sigmoid() + r).id()
    };
    let graph = Graph::new();
    let shapes: [&[usize]; 4] = [&[4, 8], &[8, 5], &[5], &[4, 5]];
    let output = formula(shapes.map(|shape| graph.input(f32(shape))));
    let mut program = Program::new(graph.finish().unwrap(), &[output]);
    program.optimize(&Options::default(), &mut |_, _| {}).unwrap();
    assert_eq!(Compiled::describe(&program, &Options::default()).unwrap().regions.len(), 1);
}

#[test]
fn a_block_of_convolution_batch_norm_and_activation_is_one_dispatch() {
    let model = Sequential::new([16, 16, 3])
        .add(Conv2D::new(8, 3).padding("same").use_bias(false))
        .add(BatchNormalization::new())
        .add(ReLU::new())
        .add(Conv2D::new(8, 1).strides(2))
        .add(BatchNormalization::new())
        .build()
        .unwrap();
    let mut program = model.program(&[f32(&[2, 16, 16, 3])]).unwrap();
    program.optimize(&Options::default(), &mut |_, _| {}).unwrap();
    let summary = Compiled::describe(&program, &Options::default()).unwrap();
    assert_eq!(summary.regions.len(), 2, "{summary}");
}

#[test]
fn weights_that_do_not_change_are_folded_once() {
    let model =
        Sequential::new([4]).add(Dense::new(3)).add(BatchNormalization::new()).build().unwrap();
    let mut program = model.program(&[f32(&[2, 4])]).unwrap();
    program.optimize(&Options::default(), &mut |_, _| {}).unwrap();
    let summary = Compiled::describe(&program, &Options::default()).unwrap();
    assert_eq!((summary.prelude.len(), summary.regions.len()), (2, 1), "{summary}");
}

/// Replays a plan by names only: every value must still be in its buffer when it is read.
#[test]
fn buffers_hold_what_their_readers_expect() {
    let mut reused = 0;
    for seed in 0..300 {
        let mut program = sample(seed, 40).program;
        program.optimize(&Options::default(), &mut |_, _| {}).unwrap();
        let regions = fuse::run(&program, true).unwrap();
        let slots = memory::run(&program, &regions, true);
        let outputs: Vec<NodeId> =
            program.outputs.iter().map(|&id| storage_of(&program, id)).collect();
        let mut holds: HashMap<usize, NodeId> = HashMap::new();
        for region in &regions.regions {
            for id in memory::reads(&program, region) {
                if let Some(slot) = slots.of.get(&id) {
                    assert_eq!(holds.get(slot), Some(&id), "seed {seed}: %{id} was overwritten");
                    assert_ne!(
                        slots.of.get(&region.root),
                        Some(slot),
                        "seed {seed}: %{} is written where it reads",
                        region.root
                    );
                }
            }
            match slots.of.get(&region.root) {
                Some(&slot) => {
                    let bytes = program.nodes[region.root].spec.shape.len() * 4;
                    assert!(slots.bytes[slot] >= bytes, "seed {seed}");
                    reused += usize::from(holds.insert(slot, region.root).is_some());
                }
                None => assert!(outputs.contains(&region.root), "seed {seed}"),
            }
        }
    }
    assert!(reused > 100, "the samples hardly use a buffer again: {reused}");
}
