//! Identities that are exact in floating point, folding of small constants, and one form for what
//! can be written in several: transposes become matmul flags, 1×1 convolutions become matmuls.

use crate::base::{Result, Shape};
use crate::graph::ops::{
    Broadcast, Concat, Constant, Conv, ConvKind, MatMul, Pad, Reshape, Slice, Transpose,
};
use crate::graph::{FusionClass, Node, NodeId, Op};
use crate::program::Program;
use crate::program::pass::loops;
use crate::program::rewrite::{Builder, remove_unused};
use crate::tensor::Array;

/// Constants of at most this many elements are computed while planning.
const FOLDED: usize = 4096;

/// A kernel binds few buffers: longer concatenations are written as concatenations of these.
const CONCATENATED: usize = 6;

/// Runs the pass.
pub fn run(program: &mut Program) -> Result<()> {
    loops::join(program)?;
    let mut pass = Simplify { to: Builder::default() };
    let mut moved: Vec<NodeId> = Vec::with_capacity(program.nodes.len());
    for node in &program.nodes {
        let inputs: Vec<NodeId> = node.inputs.iter().map(|&i| moved[i]).collect();
        moved.push(pass.node(node, inputs)?);
    }
    program.nodes = pass.to.nodes;
    program.outputs.iter_mut().for_each(|id| *id = moved[*id]);
    remove_unused(program);
    Ok(())
}

struct Simplify {
    to: Builder,
}

impl Simplify {
    fn node(&mut self, node: &Node, inputs: Vec<NodeId>) -> Result<NodeId> {
        if let Some(id) = self.folded(node, &inputs)? {
            return Ok(id);
        }
        let same = |this: &Self| this.to.spec(inputs[0]) == &node.spec;
        match &node.op {
            Op::StopGradient(_) => Ok(inputs[0]),
            Op::Reshape(_) | Op::Broadcast(_) | Op::Cast(_) if same(self) => Ok(inputs[0]),
            Op::Reshape(op) => self.reshape(node, op, inputs[0]),
            Op::Transpose(op) => self.transpose(node, op, inputs[0]),
            Op::Broadcast(op) => self.broadcast(node, op, inputs[0]),
            Op::Binary(op) => match self.neutral(op.name, &inputs) {
                Some(id) => Ok(id),
                None => self.to.push(node.op.clone(), inputs, &node.scope),
            },
            Op::Pad(op) if op.interior.iter().any(|&i| i > 0) => self.spread(node, op, inputs[0]),
            Op::Concat(op) if inputs.len() > CONCATENATED => self.concat(node, op, &inputs),
            Op::MatMul(op) => self.matmul(node, op, inputs),
            Op::Conv(op) if is_pointwise(op) => self.pointwise(node, op, &inputs),
            Op::Conv(op) => self.padded(node, op, inputs),
            _ => self.to.push(node.op.clone(), inputs, &node.scope),
        }
    }

    fn input(&self, id: NodeId) -> NodeId {
        self.to.nodes[id].inputs[0]
    }

    fn constant(&self, id: NodeId) -> Option<&Constant> {
        match &self.to.nodes[id].op {
            Op::Constant(c) => Some(c),
            _ => None,
        }
    }

    /// The value of a node whose inputs are small constants.
    fn folded(&mut self, node: &Node, inputs: &[NodeId]) -> Result<Option<NodeId>> {
        let class = node.op.def().fusion();
        // A broadcast constant is cheaper as it is: one word.
        let kept = class == FusionClass::Leaf || matches!(node.op, Op::Broadcast(_) | Op::Iota(_));
        if kept || node.spec.shape.len() > FOLDED || inputs.is_empty() {
            return Ok(None);
        }
        let arrays: Option<Result<Vec<Array>>> =
            inputs.iter().map(|&i| self.constant(i).map(|c| c.tensor.to_array())).collect();
        let Some(arrays) = arrays else { return Ok(None) };
        let arrays = arrays?;
        let value = node.op.def().eval(&arrays.iter().collect::<Vec<_>>(), &node.spec)?;
        let tensor = value.to_tensor();
        self.to.push(Constant { tensor }, Vec::new(), &node.scope).map(Some)
    }

    fn reshape(&mut self, node: &Node, op: &Reshape, x: NodeId) -> Result<NodeId> {
        let x = if matches!(self.to.nodes[x].op, Op::Reshape(_)) { self.input(x) } else { x };
        if self.to.spec(x) == &node.spec {
            return Ok(x);
        }
        self.to.push(op.clone(), vec![x], &node.scope)
    }

    fn transpose(&mut self, node: &Node, op: &Transpose, x: NodeId) -> Result<NodeId> {
        let (axes, x) = match &self.to.nodes[x].op {
            Op::Transpose(inner) => {
                (op.axes.iter().map(|&a| inner.axes[a]).collect(), self.input(x))
            }
            _ => (op.axes.clone(), x),
        };
        if axes.iter().copied().eq(0..axes.len()) {
            return Ok(x);
        }
        // Moving only axes of extent 1 does not move an element.
        let shape = &self.to.spec(x).shape;
        let long: Vec<usize> = axes.iter().copied().filter(|&a| shape[a] != 1).collect();
        if long.windows(2).all(|w| w[0] < w[1]) {
            return self.to.push(Reshape { shape: node.spec.shape.clone() }, vec![x], &node.scope);
        }
        self.to.push(Transpose { axes }, vec![x], &node.scope)
    }

    fn broadcast(&mut self, node: &Node, op: &Broadcast, x: NodeId) -> Result<NodeId> {
        let x = if matches!(self.to.nodes[x].op, Op::Broadcast(_)) { self.input(x) } else { x };
        self.to.push(op.clone(), vec![x], &node.scope)
    }

    /// The other operand, where one operand changes nothing: `x·1`, `x/1`, `x−0`. Not `x+0`, which
    /// turns −0 into 0.
    fn neutral(&self, name: &str, inputs: &[NodeId]) -> Option<NodeId> {
        let is = |id: NodeId, value: f64| {
            let id =
                if matches!(self.to.nodes[id].op, Op::Broadcast(_)) { self.input(id) } else { id };
            let scalar =
                |c: &Constant| c.tensor.len() == 1 && c.tensor.iter_f64().all(|x| x == value);
            self.constant(id).is_some_and(scalar)
        };
        let (a, b) = (inputs[0], inputs[1]);
        match name {
            "mul" if is(a, 1.0) => Some(b),
            "mul" | "div" | "pow" if is(b, 1.0) => Some(a),
            "sub" if is(b, 0.0) => Some(a),
            _ => None,
        }
    }

    /// Padding between neighbours, as padding behind each of them: `[n] → [n, 1] → [n, step] →
    /// [n · step]`, less the gap behind the last.
    fn spread(&mut self, node: &Node, op: &Pad, x: NodeId) -> Result<NodeId> {
        let shape = self.to.spec(x).shape.clone();
        let scope = &node.scope;
        let pairs: Shape = shape.iter().flat_map(|&n| [n, 1]).collect();
        let mut id = self.to.push(Reshape { shape: pairs }, vec![x], scope)?;
        let zeros = vec![0; 2 * shape.rank()];
        let behind = op.interior.iter().flat_map(|&gap| [0, gap]).collect();
        let gaps = Pad { low: zeros.clone(), high: behind, interior: zeros, value: op.value };
        id = self.to.push(gaps, vec![id], scope)?;
        let steps = shape.iter().zip(&op.interior).map(|(n, gap)| n * (gap + 1));
        id = self.to.push(Reshape { shape: steps.collect() }, vec![id], scope)?;
        let size =
            shape.iter().zip(&op.interior).map(|(n, gap)| (n * (gap + 1)).saturating_sub(*gap));
        let start = vec![0; shape.rank()];
        let step = vec![1; shape.rank()];
        id = self.to.push(
            Slice { start: start.clone(), size: size.collect(), step },
            vec![id],
            scope,
        )?;
        let around = Pad { interior: start, ..op.clone() };
        self.to.push(around, vec![id], scope)
    }

    fn concat(&mut self, node: &Node, op: &Concat, inputs: &[NodeId]) -> Result<NodeId> {
        let mut parts = inputs.to_vec();
        while parts.len() > 1 {
            parts = parts
                .chunks(CONCATENATED)
                .map(|chunk| match chunk {
                    [one] => Ok(*one),
                    _ => self.to.push(op.clone(), chunk.to_vec(), &node.scope),
                })
                .collect::<Result<_>>()?;
        }
        Ok(parts[0])
    }

    /// Transposed operands become flags.
    fn matmul(&mut self, node: &Node, op: &MatMul, inputs: Vec<NodeId>) -> Result<NodeId> {
        let mut flags = [op.transpose_a, op.transpose_b];
        let mut operands = inputs;
        for (operand, flag) in operands.iter_mut().zip(&mut flags) {
            if let Some(inner) = self.untransposed(*operand, node)? {
                *operand = inner;
                *flag = !*flag;
            }
        }
        let op = MatMul { transpose_a: flags[0], transpose_b: flags[1] };
        self.to.push(op, operands, &node.scope)
    }

    /// The operand before its last two axes were exchanged.
    fn untransposed(&mut self, id: NodeId, node: &Node) -> Result<Option<NodeId>> {
        let shape = self.to.spec(id).shape.clone();
        let source = &self.to.nodes[id];
        let swapped =
            |n: &Node, axes: &[usize]| matches!(&n.op, Op::Transpose(t) if t.axes == axes);
        if swapped(source, &[0, 2, 1]) {
            return Ok(Some(source.inputs[0]));
        }
        // The batch axis of 1 that `dot` adds behind a transposed matrix.
        let is_matrix = matches!(source.op, Op::Reshape(_))
            && shape[0] == 1
            && swapped(&self.to.nodes[source.inputs[0]], &[1, 0])
            && self.to.spec(source.inputs[0]).shape[..] == shape[1..];
        if !is_matrix {
            return Ok(None);
        }
        let inner = self.input(self.input(id));
        let reshape = Reshape { shape: Shape::from([1, shape[2], shape[1]]) };
        self.to.push(reshape, vec![inner], &node.scope).map(Some)
    }

    /// Zeros around a convolution's input become its own padding.
    fn padded(&mut self, node: &Node, op: &Conv, mut inputs: Vec<NodeId>) -> Result<NodeId> {
        let mut geometry = op.geometry;
        if let Some((pad, x)) = self.zeros_around(op, inputs[0]) {
            // Axes in front of the image are leading ones of the geometry.
            let rank = pad.low.len() - 2;
            for (axis, (&low, &high)) in
                pad.low[1..=rank].iter().zip(&pad.high[1..=rank]).enumerate()
            {
                geometry.pad[3 - rank + axis] += low;
                geometry.input[3 - rank + axis] -= low + high;
            }
            inputs[0] =
                self.to.push(Reshape { shape: geometry.x_shape() }, vec![x], &node.scope)?;
        }
        self.to.push(Conv { geometry, kind: op.kind }, inputs, &node.scope)
    }

    /// The padding that gives a convolution's input, and what it is put around.
    fn zeros_around(&self, op: &Conv, id: NodeId) -> Option<(Pad, NodeId)> {
        let id = if matches!(self.to.nodes[id].op, Op::Reshape(_)) { self.input(id) } else { id };
        let Op::Pad(pad) = &self.to.nodes[id].op else { return None };
        let shape = &self.to.spec(id).shape;
        let rank = shape.rank();
        let is_image = (3..=5).contains(&rank)
            && shape[0] == op.geometry.batch
            && shape[rank - 1] == op.geometry.in_channels
            && op.geometry.input.ends_with(&shape[1..rank - 1]);
        let spatial_only = [0, rank - 1].iter().all(|&a| pad.low[a] == 0 && pad.high[a] == 0)
            && pad.interior.iter().all(|&gap| gap == 0);
        let fits = op.kind == ConvKind::Forward && is_image && spatial_only && pad.value == 0;
        fits.then(|| (pad.clone(), self.input(id)))
    }

    fn pointwise(&mut self, node: &Node, op: &Conv, inputs: &[NodeId]) -> Result<NodeId> {
        let g = &op.geometry;
        let rows = g.batch * g.output.iter().product::<usize>();
        let mut matrix = |id: NodeId, rows: usize, columns: usize| {
            let shape = Shape::from([1, rows, columns]);
            self.to.push(Reshape { shape }, vec![id], &node.scope)
        };
        let (a, b) = match op.kind {
            ConvKind::Forward => (
                matrix(inputs[0], rows, g.in_channels)?,
                matrix(inputs[1], g.in_channels, g.out_channels)?,
            ),
            ConvKind::InputGrad => (
                matrix(inputs[0], rows, g.out_channels)?,
                matrix(inputs[1], g.in_channels, g.out_channels)?,
            ),
            ConvKind::FilterGrad => {
                (matrix(inputs[0], rows, g.in_channels)?, matrix(inputs[1], rows, g.out_channels)?)
            }
        };
        let product = MatMul {
            transpose_a: op.kind == ConvKind::FilterGrad,
            transpose_b: op.kind == ConvKind::InputGrad,
        };
        let id = self.to.push(product, vec![a, b], &node.scope)?;
        self.to.push(Reshape { shape: node.spec.shape.clone() }, vec![id], &node.scope)
    }
}

/// Whether a convolution is a product of matrices.
fn is_pointwise(op: &Conv) -> bool {
    let g = &op.geometry;
    g.kernel == [1; 3]
        && g.stride == [1; 3]
        && g.pad == [0; 3]
        && g.groups == 1
        && g.input == g.output
}
