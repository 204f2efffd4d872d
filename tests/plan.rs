//! What plans look like: how many dispatches, which buffers.

mod common;

use std::collections::HashMap;
use std::ops::Range;

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

/// What lies in a slot: where, and which value.
type Held = Vec<(Range<usize>, NodeId)>;

fn meet(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

/// Replays a plan by names only: every value must still be in its place when it is read.
#[test]
fn buffers_hold_what_their_readers_expect() {
    let mut reused = 0;
    for seed in 0..300 {
        let mut program = sample(seed, 40).program;
        program.optimize(&Options::default(), &mut |_, _| {}).unwrap();
        let regions = fuse::run(&program, true).unwrap();
        let slots = memory::run(&program, &regions, Some(1 << 20));
        let place_of = |id: NodeId| {
            let place = slots.of.get(&id)?;
            let bytes = program.nodes[id].spec.shape.len() * 4;
            assert!(place.offset + bytes <= slots.bytes[place.slot], "seed {seed}: %{id}");
            Some((place.slot, place.offset..place.offset + bytes))
        };
        let outputs: Vec<NodeId> =
            program.outputs.iter().map(|&id| storage_of(&program, id)).collect();
        let mut holds: HashMap<usize, Held> = HashMap::new();
        for region in &regions.regions {
            let reads = memory::reads(&program, region);
            for id in &reads {
                let Some((slot, range)) = place_of(*id) else { continue };
                let held = holds.get(&slot).is_some_and(|held| held.contains(&(range, *id)));
                assert!(held, "seed {seed}: %{id} was overwritten");
            }
            for id in region.stores(&program) {
                let Some((slot, range)) = place_of(id) else {
                    assert!(outputs.contains(&id), "seed {seed}");
                    continue;
                };
                let read =
                    |id: &NodeId| place_of(*id).is_some_and(|(s, r)| s == slot && meet(&r, &range));
                assert!(!reads.iter().any(read), "seed {seed}: %{id} is written where it reads");
                let held = holds.entry(slot).or_default();
                let before = held.len();
                held.retain(|(other, _)| !meet(other, &range));
                reused += before - held.len();
                held.push((range, id));
            }
        }
    }
    assert!(reused > 100, "the samples hardly use a buffer again: {reused}");
}
