//! Which values are weights of few bits, on their way to the floats that a product wants.
//!
//! Stored as floats, they would take the memory that packing saves. So they are not moved into the
//! prelude and not stored, but computed where the kernel of a product reads them. So are copies in
//! words of what lies [at rest](super::at_rest), also where a convolution reads its filter.

use crate::graph::ops::{Conv, ConvKind};
use crate::graph::{FusionClass, NodeId, Op};
use crate::program::Program;
use crate::program::pass::at_rest::is_widened;

/// For every value, whether only products take it, on the way to their right operand, and what they
/// take comes element by element from variables of eight-bit numbers, or is a copy in words. Scales
/// and zero points that join on the way belong to it.
pub fn taken_by_products(program: &Program) -> Vec<bool> {
    let nodes = &program.nodes;
    let mut fixed: Vec<bool> = Vec::with_capacity(nodes.len());
    let mut narrow: Vec<bool> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let class = node.op.def().fusion();
        let computed = matches!(class, FusionClass::Map | FusionClass::View);
        let leaf = matches!(node.op, Op::Read(_) | Op::Constant(_) | Op::Iota(_));
        fixed.push(leaf || (computed && node.inputs.iter().all(|&i| fixed[i])));
        let reads = matches!(&node.op, Op::Read(read) if read.spec.dtype.size() == 1);
        narrow.push(reads || node.inputs.iter().any(|&i| narrow[i]));
    }
    let consumers = program.consumers();
    let mut taken = vec![false; nodes.len()];
    for id in (0..nodes.len()).rev() {
        let copy = is_widened(program, id);
        let computed = fixed[id] && nodes[id].op.def().fusion() != FusionClass::Leaf;
        let takes = |&c: &NodeId| match &nodes[c].op {
            Op::MatMul(_) => (narrow[id] || copy) && nodes[c].inputs[0] != id,
            Op::Conv(Conv { kind: ConvKind::Forward | ConvKind::InputGrad, .. }) => {
                copy && nodes[c].inputs[0] != id
            }
            _ => taken[c],
        };
        let kept = program.outputs.contains(&id) || consumers[id].is_empty();
        taken[id] = (copy || computed) && !kept && consumers[id].iter().all(takes);
    }
    taken
}
