//! Fits a program to how a device holds values: those that only lie there, as their file holds them,
//! and those that are computed, a word for each element.
//!
//! Weights, inputs, constants, hoisted values and outputs lie; when their dtype is narrow, several
//! elements share a word. Code of regions takes an element out of its word where it reads it. What
//! reads words only gets a copy in words; the right operand of a product and the filter of a
//! convolution need none, since their kernels read through code. Outputs are packed.

use std::sync::Arc;

use crate::base::{DType, Result, Spec};
use crate::graph::ops::{
    Binary, Bitcast, Broadcast, Cast, Constant, Pad, Reduce, ReduceKind, Reshape,
};
use crate::graph::{FusionClass, NodeId, Op};
use crate::program::Program;
use crate::program::pass::storage_of;
use crate::program::rewrite::{Builder, remove_unused};
use crate::tensor::Tensor;

/// Whether several elements of a stored value share a word. In a loop none do.
pub fn is_packed(program: &Program, id: NodeId) -> bool {
    let node = &program.nodes[storage_of(program, id)];
    let lies = matches!(node.op, Op::Input(_) | Op::Read(_) | Op::Hoisted(_) | Op::Constant(_));
    lies && node.spec.dtype.is_narrow()
}

/// Whether a value is the copy in words of one that is packed.
pub fn is_widened(program: &Program, id: NodeId) -> bool {
    let node = &program.nodes[id];
    let copies =
        |input: NodeId| program.nodes[input].spec == node.spec && is_packed(program, input);
    matches!(node.op, Op::Cast(_)) && copies(node.inputs[0])
}

/// Rewrites a program, and its prelude, that is otherwise finished.
///
/// # Errors
/// [`Error::Internal`](crate::base::Error::Internal) if the program is broken.
pub fn run(program: &mut Program) -> Result<()> {
    if let Some(prelude) = &mut program.prelude {
        run(prelude)?;
    }
    if !program.nodes.iter().any(|node| node.spec.dtype.is_narrow()) {
        return Ok(());
    }
    let mut to = Builder::default();
    let mut moved: Vec<NodeId> = Vec::with_capacity(program.nodes.len());
    for node in &program.nodes {
        let mut inputs: Vec<NodeId> = node.inputs.iter().map(|&i| moved[i]).collect();
        if reads_words(&node.op) {
            for (input, &id) in inputs.iter_mut().zip(&node.inputs) {
                if is_packed(program, id) {
                    let dtype = program.nodes[id].spec.dtype;
                    *input = to.push(Cast { dtype }, vec![*input], &node.scope)?;
                }
            }
        }
        moved.push(to.push(node.op.clone(), inputs, &node.scope)?);
    }
    let mut outputs = Vec::with_capacity(program.outputs.len());
    for (position, &id) in program.outputs.iter().enumerate() {
        let node = &program.nodes[id];
        let computed = node.spec.dtype.is_narrow() && !is_packed(program, id);
        outputs.push(match computed && node.spec.bytes() > 0 {
            true => {
                program.packed.insert(position, node.spec.clone());
                packed(&mut to, moved[id], &node.scope)?
            }
            false => moved[id],
        });
    }
    (program.nodes, program.outputs) = (to.nodes, outputs);
    remove_unused(program);
    Ok(())
}

/// Whether an operation's kernel reads its operands from buffers as they are.
fn reads_words(op: &Op) -> bool {
    matches!(op.def().fusion(), FusionClass::Anchor | FusionClass::Opaque)
}

/// The elements of a narrow value, several in each uint32: the first in the lowest bits.
fn packed(to: &mut Builder, id: NodeId, scope: &Arc<str>) -> Result<NodeId> {
    let Spec { shape, dtype } = to.spec(id).clone();
    let each = 4 / dtype.bytes_at_rest();
    let words = shape.len().div_ceil(each);
    let bits = if each == 4 { DType::UInt8 } else { DType::UInt16 };
    let mut element = to.push(Bitcast { dtype: bits }, vec![id], scope)?;
    element = to.push(Cast { dtype: DType::UInt32 }, vec![element], scope)?;
    element = to.push(Reshape { shape: [shape.len()].into() }, vec![element], scope)?;
    let missing = words * each - shape.len();
    if missing > 0 {
        let pad = Pad { low: vec![0], high: vec![missing], interior: vec![0], value: 0 };
        element = to.push(pad, vec![element], scope)?;
    }
    element = to.push(Reshape { shape: [words, each].into() }, vec![element], scope)?;
    let shifts: Vec<u32> = (0..each as u32).map(|place| place * 32 / each as u32).collect();
    let shifts = Constant { tensor: Tensor::new([each], &shifts)? };
    let shift = to.push(shifts, Vec::new(), scope)?;
    let shift = to.push(Broadcast { shape: [words, each].into() }, vec![shift], scope)?;
    let placed = to.push(Binary { name: "shl" }, vec![element, shift], scope)?;
    to.push(Reduce { kind: ReduceKind::Sum, axes: vec![1] }, vec![placed], scope)
}
