//! The order of a functional model's layers, which names the paths of their weights.
//!
//! As in Keras: a layer's depth is its longest way to an output; layers come by falling depth, those
//! of one depth in the order in which a walk from the outputs first meets them.

use std::collections::HashMap;

use crate::base::{Nested, Result};
use crate::models::functional::{Call, TensorRef};

/// The layers that take part in computing the outputs from the inputs, in order.
pub fn layers_by_depth(
    calls: &[Call],
    inputs: &Nested<TensorRef>,
    outputs: &Nested<TensorRef>,
) -> Result<Vec<usize>> {
    let parents: Vec<Vec<usize>> = calls.iter().map(parents_of).collect();
    let (finished, met) = walk(calls, &parents, outputs);
    let mut node_depth: HashMap<usize, usize> = HashMap::new();
    let mut layer_depth: HashMap<usize, usize> = HashMap::new();
    for &call in finished.iter().rev() {
        let layer = calls[call].layer;
        let depth = node_depth.get(&call).copied().unwrap_or(0);
        let depth = depth.max(layer_depth.get(&layer).copied().unwrap_or(0));
        layer_depth.insert(layer, depth);
        node_depth.insert(call, depth);
        for &parent in &parents[call] {
            let reached = node_depth.entry(parent).or_insert(0);
            *reached = (*reached).max(depth + 1);
        }
    }
    // Inputs that no output depends on are still layers of the model.
    for tensor in inputs.flatten() {
        layer_depth.entry(calls[tensor.call].layer).or_insert(0);
    }
    let mut layers: Vec<usize> = layer_depth.keys().copied().collect();
    let place = |layer: &usize| {
        let order = met.get(layer).map_or(-1, |&i| i as i64);
        (std::cmp::Reverse(layer_depth[layer]), order, *layer)
    };
    layers.sort_by_key(place);
    Ok(layers)
}

fn parents_of(call: &Call) -> Vec<usize> {
    let mut parents = Vec::new();
    call.args.visit(&mut |t: &TensorRef| parents.push(t.call));
    parents
}

/// Calls in the order in which a depth-first walk finishes them, and layers by first meeting. Without
/// recursion: a model may be thousands of calls deep.
fn walk(
    calls: &[Call],
    parents: &[Vec<usize>],
    outputs: &Nested<TensorRef>,
) -> (Vec<usize>, HashMap<usize, usize>) {
    let mut finished = Vec::new();
    let mut met: HashMap<usize, usize> = HashMap::new();
    let mut entered = vec![false; calls.len()];
    for output in outputs.flatten() {
        let mut stack: Vec<(usize, usize)> = Vec::new();
        let mut enter = |call: usize, stack: &mut Vec<(usize, usize)>| {
            if !entered[call] {
                entered[call] = true;
                let count = met.len();
                met.entry(calls[call].layer).or_insert(count);
                stack.push((call, 0));
            }
        };
        enter(output.call, &mut stack);
        while let Some((call, next)) = stack.pop() {
            match parents[call].get(next) {
                Some(&parent) => {
                    stack.push((call, next + 1));
                    enter(parent, &mut stack);
                }
                None => finished.push(call),
            }
        }
    }
    (finished, met)
}
