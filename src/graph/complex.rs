//! Complex numbers: two real values that go together.
//!
//! A value of [`DType::Complex64`] is only a name for a real and an imaginary part. What computes with
//! it takes the parts ([`Complex::of`]), so no operation and no device knows complex numbers. Operations
//! that are written on such a value become operations on its parts where they move, join, add or multiply
//! elements; every other one is an error. Devices take and give a complex tensor as float32 with a last
//! axis of two ([`Tensor::in_parts`]).

use crate::base::{DType, Shape, Spec};
use crate::graph::ops::{Concat, Pair, Reshape};
use crate::graph::{Graph, Node, NodeId, Op, Value};
use crate::tensor::Tensor;

/// The real and the imaginary part of complex numbers, float32 of one shape.
#[derive(Clone, Copy)]
pub struct Complex<'g> {
    /// The real part.
    pub re: Value<'g>,
    /// The imaginary part.
    pub im: Value<'g>,
}

impl<'g> Complex<'g> {
    /// The parts of a complex value; nothing for a real one.
    pub fn of(value: Value<'g>) -> Option<Complex<'g>> {
        let graph = value.graph();
        let parts = graph.with_node(value.id(), |node| match (&node.op, node.inputs.as_slice()) {
            (Op::Pair(_), &[re, im]) => Some((re, im)),
            _ => None,
        });
        parts.map(|(re, im)| Complex { re: graph.value(re), im: graph.value(im) })
    }

    /// Numbers of any dtype; the imaginary part of real ones is zero.
    pub fn from_any(value: Value<'g>) -> Complex<'g> {
        Complex::of(value).unwrap_or_else(|| {
            let re = value.cast(DType::Float32);
            Complex { re, im: re.like(0.0) }
        })
    }

    /// The parts of float32 with a last axis of two.
    pub(crate) fn from_last_axis(parts: Value<'g>) -> Complex<'g> {
        let shape = parts.shape();
        let axis = shape.rank().saturating_sub(1);
        let part = |i: usize| parts.narrow(axis, i, 1).reshape(Shape::from(&shape[..axis]));
        Complex { re: part(0), im: part(1) }
    }

    /// One value for both parts.
    pub fn value(self) -> Value<'g> {
        self.re.graph().apply(Pair, &[self.re, self.im])
    }

    /// The same of both parts.
    pub fn map(self, f: impl Fn(Value<'g>) -> Value<'g>) -> Complex<'g> {
        Complex { re: f(self.re), im: f(self.im) }
    }

    /// Both parts in another shape of as many elements.
    pub fn reshape(self, shape: impl Into<Shape>) -> Complex<'g> {
        let shape = shape.into();
        self.map(|v| v.reshape(shape.clone()))
    }

    /// The product with other numbers.
    pub fn times(self, other: Complex<'g>) -> Complex<'g> {
        Complex {
            re: self.re * other.re - self.im * other.im,
            im: self.re * other.im + self.im * other.re,
        }
    }

    /// The quotient, with the divisor scaled so that its square neither overflows nor vanishes.
    pub fn over(self, divisor: Complex<'g>) -> Complex<'g> {
        let scale = divisor.re.abs().maximum(divisor.im.abs());
        let unit = divisor.map(|v| v / scale);
        let square = (unit.re.square() + unit.im.square()) * scale;
        self.times(unit.conjugate()).map(|v| v / square)
    }

    /// Where both parts are those of other numbers.
    pub fn equals(self, other: Complex<'g>) -> Value<'g> {
        self.re.binary("eq", other.re).binary("and", self.im.binary("eq", other.im))
    }

    /// The numbers mirrored at the real axis.
    pub fn conjugate(self) -> Complex<'g> {
        Complex { re: self.re, im: -self.im }
    }

    /// The distance from zero, without an overflow on the way.
    pub fn abs(self) -> Value<'g> {
        let (re, im) = (self.re.abs(), self.im.abs());
        let (high, low) = (re.maximum(im), re.minimum(im));
        let ratio = low / high;
        let length = high * (ratio.square() + 1.0).sqrt();
        // Zero and infinity have no ratio.
        let plain = high.binary("eq", high.like(0.0));
        let plain = plain.binary("or", high.binary("eq", high.like(f64::INFINITY)));
        plain.select(high, length)
    }
}

impl Graph {
    /// A complex input: the device takes it as float32 with a last axis of two.
    pub(super) fn complex_input(&self, spec: &Spec) -> Value<'_> {
        Complex::from_last_axis(self.input(in_parts(spec))).value()
    }

    /// A complex tensor known while tracing.
    pub(super) fn complex_constant(&self, tensor: &Tensor) -> Value<'_> {
        Complex::from_last_axis(self.constant(tensor.in_parts())).value()
    }
}

/// What complex numbers are on a device.
fn in_parts(spec: &Spec) -> Spec {
    let mut shape = spec.shape.to_vec();
    shape.push(2);
    Spec::new(shape, DType::Float32)
}

/// Puts the parts of a complex node side by side, behind the last of `nodes`; gives the node that has
/// them, or nothing for a real one.
pub(crate) fn parts_side_by_side(nodes: &mut Vec<Node>, id: NodeId) -> Option<NodeId> {
    let node = nodes.get(id).filter(|node| matches!(node.op, Op::Pair(_)))?.clone();
    let axis = node.spec.shape.rank();
    let mut push = |op: Op, inputs: Vec<NodeId>, spec: &Spec| {
        nodes.push(Node { op, inputs, spec: spec.clone(), scope: node.scope.clone() });
        nodes.len() - 1
    };
    let whole = in_parts(&node.spec);
    let part = Spec::new(whole.shape.with(axis, 1), DType::Float32);
    let reshape = Op::Reshape(Reshape { shape: part.shape.clone() });
    let parts = node.inputs.iter().map(|&id| push(reshape.clone(), vec![id], &part)).collect();
    Some(push(Op::Concat(Concat { axis }), parts, &whole))
}
