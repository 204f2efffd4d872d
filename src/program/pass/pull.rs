//! Writes the code of a region's element by walking from the root towards its operands, turning
//! views into index arithmetic on the way.

use std::collections::HashMap;

use crate::base::{DType, Error, Result, Shape};
use crate::graph::ops::{Concat, Gather, Pad};
use crate::graph::{FusionClass, Node, NodeId, Op};
use crate::program::Program;
use crate::program::pass::assign::{is_scalar, storage_of};
use crate::program::region::{Body, Inst, Reg};
use crate::program::view::{Affine, Misfit, Space};

/// Instructions in one body; more are cut.
const LONGEST: usize = 96;

/// Why a body could not be written.
pub enum Stop {
    /// The space must have a dimension split.
    Split {
        dim: usize,
        inner: usize,
    },
    /// A value must be stored, so that it can be read at any index.
    Store(NodeId),
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Failed(error)
    }
}

/// Writes bodies of one region.
#[derive(Clone, Copy)]
pub struct Puller<'a> {
    pub program: &'a Program,
    /// Whether a value is read from a buffer.
    pub stored: &'a [bool],
    /// The root: it is stored, but here it is computed.
    pub root: NodeId,
    /// The region's reduction or kernel.
    pub anchor: Option<NodeId>,
    /// Values of one number for each position of the first coordinate, which the region has at hand.
    pub numbers: &'a [NodeId],
    /// Most operands the kernel can bind.
    pub bindings: usize,
}

struct Writer<'a, 'p> {
    puller: &'a Puller<'p>,
    space: Space,
    operands: Vec<NodeId>,
    code: Vec<Inst>,
    done: HashMap<(NodeId, Vec<Affine>), Reg>,
    members: Vec<NodeId>,
    /// Whether an index may lie outside its axis, because a surrounding pad discards the value.
    guarded: bool,
}

impl Puller<'_> {
    /// The body that computes `value` at the linear position `at` of `space`, and its members.
    pub fn body(
        &self,
        value: NodeId,
        space: &Space,
        at: &Affine,
    ) -> Result<(Body, Vec<NodeId>), Stop> {
        let axes = self.unravel(space, at, &self.program.nodes[value].spec.shape, value)?;
        self.body_at(value, space, &axes)
    }

    /// The body that computes `value` at an index along every axis.
    pub fn body_at(
        &self,
        value: NodeId,
        space: &Space,
        axes: &[Affine],
    ) -> Result<(Body, Vec<NodeId>), Stop> {
        let mut writer = Writer {
            puller: self,
            space: space.clone(),
            operands: Vec::new(),
            code: Vec::new(),
            done: HashMap::new(),
            members: Vec::new(),
            guarded: false,
        };
        let result = writer.value(value, axes)?;
        if result + 1 != writer.code.len() {
            // The result is the last instruction: say it once more.
            let dtype = writer.code[result].dtype();
            writer.code.push(Inst::Cast { x: result, dtype });
        }
        let mut body = Body { space: writer.space, operands: writer.operands, code: writer.code };
        body.collapse();
        Ok((body, writer.members))
    }

    fn unravel(
        &self,
        space: &Space,
        at: &Affine,
        shape: &Shape,
        value: NodeId,
    ) -> Result<Vec<Affine>, Stop> {
        space.unravel(at, shape).map_err(|misfit| match misfit {
            Misfit::Split { dim, inner } => Stop::Split { dim, inner },
            Misfit::Never => Stop::Store(value),
        })
    }
}

/// The linear position of an element.
pub fn position(axes: &[Affine], shape: &Shape, rank: usize) -> Affine {
    let strides = shape.strides();
    axes.iter().zip(strides).fold(Affine::constant(0, rank), |sum, (axis, stride)| {
        sum.plus(&axis.scaled(stride as i64, 0))
    })
}

impl Writer<'_, '_> {
    fn node(&self, id: NodeId) -> &Node {
        &self.puller.program.nodes[id]
    }

    fn push(&mut self, inst: Inst) -> Reg {
        self.code.push(inst);
        self.code.len() - 1
    }

    fn value(&mut self, id: NodeId, axes: &[Affine]) -> Result<Reg, Stop> {
        if let Some(&reg) = self.done.get(&(id, axes.to_vec())) {
            return Ok(reg);
        }
        let reg = self.write(id, axes)?;
        if self.code.len() > LONGEST {
            return Err(Stop::Store(self.deepest(id)));
        }
        self.done.insert((id, axes.to_vec()), reg);
        Ok(reg)
    }

    /// A value to store when a body grows too long: the one at hand if it is computed here, else the
    /// last one that is. A view comes last: to store it is a copy that takes little off the body.
    fn deepest(&self, id: NodeId) -> NodeId {
        let computed = |i: NodeId| {
            !self.puller.stored[i]
                && Some(i) != self.puller.anchor
                && self.node(i).op.def().fusion() != FusionClass::Leaf
        };
        if id != self.puller.root && computed(id) {
            return id;
        }
        let view = |i: NodeId| self.node(i).op.def().fusion() == FusionClass::View;
        let members = || self.members.iter().rev().copied().filter(|&i| computed(i));
        members().find(|&i| !view(i)).or_else(|| members().next()).unwrap_or(id)
    }

    fn write(&mut self, id: NodeId, axes: &[Affine]) -> Result<Reg, Stop> {
        let puller = self.puller;
        let node = &puller.program.nodes[id];
        let dtype = node.spec.dtype;
        if Some(id) == puller.anchor {
            return Ok(self.push(Inst::Anchor { dtype }));
        }
        if puller.stored[id] && id != puller.root {
            let at = position(axes, &node.spec.shape, self.space.rank());
            return self.load(id, dtype, at);
        }
        if !is_scalar(&node.op) {
            self.members.push(id);
        }
        let input = |i: usize| node.inputs[i];
        let inst = match &node.op {
            Op::Constant(c) => {
                let bits =
                    c.tensor.to_array()?.word_bytes().try_into().map_or(0, u32::from_le_bytes);
                Inst::Scalar { dtype, bits }
            }
            Op::Iota(op) => Inst::Index { at: axes[op.axis].clone() },
            Op::Unary(op) => Inst::Unary { name: op.name, x: self.value(input(0), axes)?, dtype },
            Op::Binary(op) => {
                let (a, b) = (self.value(input(0), axes)?, self.value(input(1), axes)?);
                Inst::Binary { name: op.name, a, b, dtype }
            }
            Op::Select(_) => {
                let condition = self.value(input(0), axes)?;
                let (a, b) = (self.value(input(1), axes)?, self.value(input(2), axes)?);
                Inst::Select { condition, a, b, dtype }
            }
            Op::Cast(_) if self.node(input(0)).spec.dtype == dtype => {
                return self.value(input(0), axes);
            }
            Op::Cast(_) => Inst::Cast { x: self.value(input(0), axes)?, dtype },
            Op::Bitcast(_) => Inst::Bitcast { x: self.value(input(0), axes)?, dtype },
            Op::StopGradient(_) => return self.value(input(0), axes),
            Op::Reshape(_) => return self.reshape(node, axes),
            Op::Transpose(op) => {
                let source = op.inverse().iter().map(|&a| axes[a].clone()).collect::<Vec<_>>();
                return self.value(input(0), &source);
            }
            Op::Broadcast(_) => return self.broadcast(node, axes),
            Op::Slice(op) => {
                let along =
                    |(i, axis): (usize, &Affine)| axis.scaled(op.step[i], op.start[i] as i64);
                let source: Vec<Affine> = axes.iter().enumerate().map(along).collect();
                return self.value(input(0), &source);
            }
            Op::Pad(op) => return self.pad(node, op, axes),
            Op::Concat(op) => self.concat(node, op, axes)?,
            Op::Gather(op) => self.gather(node, op, axes)?,
            Op::RandomBits(op) => {
                let rank = self.space.rank();
                let word = |i: i64| [Affine::constant(i, rank)];
                let key = [self.value(input(0), &word(0))?, self.value(input(0), &word(1))?];
                Inst::Random { key, at: position(axes, &op.shape, rank), take: op.take }
            }
            other => {
                let label = other.def().label();
                return Err(Stop::Failed(Error::Internal(format!("{label} inside a region"))));
            }
        };
        Ok(self.push(inst))
    }

    /// An element of a stored value, or the number of this row.
    fn load(&mut self, id: NodeId, dtype: DType, at: Affine) -> Result<Reg, Stop> {
        let stored = storage_of(self.puller.program, id);
        let Some(combined) = self.puller.numbers.iter().position(|&n| n == stored) else {
            let operand = self.operand(id)?;
            return Ok(self.push(Inst::Load { operand, dtype, at }));
        };
        let row = self.space.position(0..1);
        let moves = |d: &usize| self.space.dims[*d] > 1;
        let same = at.offset == 0
            && (0..self.space.rank()).filter(moves).all(|d| at.strides[d] == row.strides[d]);
        if !same {
            return Err(Stop::Store(stored));
        }
        Ok(self.push(Inst::Row { combined, dtype }))
    }

    fn operand(&mut self, id: NodeId) -> Result<usize, Stop> {
        let id = storage_of(self.puller.program, id);
        // A lookup needs a buffer, which a value that its own region computes has not.
        if self.puller.numbers.contains(&id) || !self.puller.stored[id] {
            return Err(Stop::Store(id));
        }
        if let Some(known) = self.operands.iter().position(|&o| o == id) {
            return Ok(known);
        }
        if self.operands.len() == self.puller.bindings {
            return Err(Stop::Store(self.deepest(self.puller.root)));
        }
        self.operands.push(id);
        Ok(self.operands.len() - 1)
    }

    fn reshape(&mut self, node: &Node, axes: &[Affine]) -> Result<Reg, Stop> {
        let input = node.inputs[0];
        let shape = self.node(input).spec.shape.clone();
        let at = position(axes, &node.spec.shape, self.space.rank());
        // A stored value is read at its linear position, whatever its shape.
        if self.puller.stored[input] && input != self.puller.root {
            return self.load(input, node.spec.dtype, at);
        }
        // Axes of extent 1 come and go without arithmetic, also under a pad.
        if let Some(source) = same_but_ones(&node.spec.shape, axes, &shape, self.space.rank()) {
            return self.value(input, &source);
        }
        if self.guarded {
            return Err(Stop::Store(input));
        }
        let source = self.puller.unravel(&self.space, &at, &shape, input)?;
        self.value(input, &source)
    }

    fn broadcast(&mut self, node: &Node, axes: &[Affine]) -> Result<Reg, Stop> {
        let input = node.inputs[0];
        let shape = self.node(input).spec.shape.clone();
        let lead = node.spec.shape.rank() - shape.rank();
        let rank = self.space.rank();
        let along = |(i, &extent): (usize, &usize)| match extent {
            1 => Affine::constant(0, rank),
            _ => axes[lead + i].clone(),
        };
        let source: Vec<Affine> = shape.iter().enumerate().map(along).collect();
        self.value(input, &source)
    }

    fn pad(&mut self, node: &Node, op: &Pad, axes: &[Affine]) -> Result<Reg, Stop> {
        let input = node.inputs[0];
        if op.interior.iter().any(|&gap| gap > 0) {
            // Simplification writes it as reshapes; without that pass nothing else can.
            let what = "padding between elements without the pass 'simplify'".into();
            return Err(Stop::Failed(Error::Unsupported(what)));
        }
        let shape = self.node(input).spec.shape.clone();
        let shift = |(axis, &low): (&Affine, &usize)| axis.scaled(1, -(low as i64));
        let source: Vec<Affine> = axes.iter().zip(&op.low).map(shift).collect();
        let outside = |axis: &usize| op.low[*axis] > 0 || op.high[*axis] > 0;
        let bounds: Vec<(Affine, i64)> = (0..shape.rank())
            .filter(outside)
            .map(|axis| (source[axis].clone(), shape[axis] as i64))
            .collect();
        if bounds.is_empty() {
            return self.value(input, &source);
        }
        let outer = std::mem::replace(&mut self.guarded, true);
        let x = self.value(input, &source)?;
        self.guarded = outer;
        let dtype = node.spec.dtype;
        Ok(self.push(Inst::Inside { bounds, x, dtype, otherwise: op.value }))
    }

    fn concat(&mut self, node: &Node, op: &Concat, axes: &[Affine]) -> Result<Inst, Stop> {
        let mut parts = Vec::with_capacity(node.inputs.len());
        let mut end = 0;
        let outer = std::mem::replace(&mut self.guarded, true);
        for &input in &node.inputs {
            let mut source = axes.to_vec();
            source[op.axis] = axes[op.axis].scaled(1, -end);
            let reg = self.value(input, &source)?;
            end += self.node(input).spec.shape[op.axis] as i64;
            parts.push((end, reg));
        }
        self.guarded = outer;
        Ok(Inst::Part { at: axes[op.axis].clone(), parts, dtype: node.spec.dtype })
    }

    fn gather(&mut self, node: &Node, op: &Gather, axes: &[Affine]) -> Result<Inst, Stop> {
        let (data, indices) = (node.inputs[0], node.inputs[1]);
        let shape = self.node(data).spec.shape.clone();
        let inner = op.axis + self.node(indices).spec.shape.rank();
        let index = self.value(indices, &axes[op.axis..inner])?;
        let mut source = axes[..op.axis].to_vec();
        source.push(Affine::constant(0, self.space.rank()));
        source.extend_from_slice(&axes[inner..]);
        let at = position(&source, &shape, self.space.rank());
        Ok(Inst::Gather {
            operand: self.operand(data)?,
            dtype: node.spec.dtype,
            at,
            index,
            extent: shape[op.axis] as i64,
            stride: shape.strides()[op.axis] as i64,
        })
    }
}

/// The axes of `to`, when the shapes differ in axes of extent 1 only.
fn same_but_ones(from: &Shape, axes: &[Affine], to: &Shape, rank: usize) -> Option<Vec<Affine>> {
    let mut long = from.iter().zip(axes).filter(|(d, _)| **d != 1);
    let mut source = Vec::with_capacity(to.rank());
    for &extent in to.iter() {
        if extent == 1 {
            source.push(Affine::constant(0, rank));
        } else {
            let (&d, axis) = long.next()?;
            (d == extent).then(|| source.push(axis.clone()))?;
        }
    }
    long.next().is_none().then_some(source)
}
