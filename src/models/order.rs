//! The order of a functional model's layers, which names the paths of their weights.
//!
//! As in Keras: a layer's depth is its longest way to an output; layers come by falling depth, those
//! of one depth in the order in which a walk from the outputs first meets them.

use std::collections::HashMap;

use crate::base::Nested;
use crate::models::functional::{Call, TensorRef};

/// The order of a functional model's calls and of its layers.
pub struct Order {
    /// Calls that outputs depend on, in the order in which Keras makes them when the model runs.
    pub calls: Vec<usize>,
    /// Layers that take part in computing the outputs from the inputs.
    pub layers: Vec<usize>,
}

/// Calls and layers by falling depth.
pub fn by_depth(calls: &[Call], inputs: &Nested<TensorRef>, outputs: &Nested<TensorRef>) -> Order {
    let parents: Vec<Vec<usize>> = calls.iter().map(parents_of).collect();
    let (finished, met) = walk(calls, &parents, outputs);
    let mut node_depth: HashMap<usize, usize> = HashMap::new();
    let mut layer_depth: HashMap<usize, usize> = HashMap::new();
    // Calls as they first get a depth: those of one depth run in this order.
    let mut reached = Vec::new();
    for &call in finished.iter().rev() {
        let layer = calls[call].layer;
        let known = node_depth.get(&call).copied();
        let depth = known.unwrap_or(0).max(layer_depth.get(&layer).copied().unwrap_or(0));
        layer_depth.insert(layer, depth);
        for (call, depth) in
            [(call, depth)].into_iter().chain(parents[call].iter().map(|&p| (p, depth + 1)))
        {
            let deepest = node_depth.entry(call).or_insert_with(|| {
                reached.push(call);
                0
            });
            *deepest = (*deepest).max(depth);
        }
    }
    reached.sort_by_key(|call| std::cmp::Reverse(node_depth[call]));
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
    Order { calls: reached, layers }
}

fn parents_of(call: &Call) -> Vec<usize> {
    call.args.flatten().into_iter().flatten().map(|tensor| tensor.call).collect()
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
