//! The handle layers compute with, and its methods: the vocabulary of the mathematics.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::base::{DType, Error, Shape, Spec};
use crate::graph::ops::{
    ArgReduce, Binary, Broadcast, Cast, Concat, Conv, ConvGeometry, ConvKind, Gather, Iota, MatMul,
    Pad, Pool, Reduce, ReduceKind, Reshape, Select, Slice, StopGradient, Transpose, Unary,
};
use crate::graph::{Complex, Graph, NodeId, Op};
use crate::tensor::Tensor;

/// A value in a graph: a `Copy` pair of graph and node.
#[derive(Clone, Copy)]
pub struct Value<'g> {
    graph: &'g Graph,
    id: NodeId,
}

impl<'g> Value<'g> {
    pub(crate) fn new(graph: &'g Graph, id: NodeId) -> Value<'g> {
        Value { graph, id }
    }

    /// The graph that the value is written in.
    pub fn graph(self) -> &'g Graph {
        self.graph
    }

    /// The node of the graph that gives the value.
    pub fn id(self) -> NodeId {
        self.id
    }

    /// Shape and dtype.
    pub fn spec(self) -> Spec {
        self.graph.with_node(self.id, |node| node.spec.clone())
    }

    /// Extents, outermost first.
    pub fn shape(self) -> Shape {
        self.spec().shape
    }

    /// Element type, to which the value is rounded.
    pub fn dtype(self) -> DType {
        self.graph.with_node(self.id, |node| node.spec.dtype)
    }

    /// Number of axes.
    pub fn rank(self) -> usize {
        self.graph.with_node(self.id, |node| node.spec.shape.rank())
    }

    /// Extent of an axis; 1 for an axis that does not exist, which is also what an earlier error
    /// leaves behind.
    pub fn extent(self, axis: usize) -> usize {
        self.graph.with_node(self.id, |node| node.spec.shape.get(axis).copied().unwrap_or(1))
    }

    fn op(self, op: impl Into<Op>) -> Value<'g> {
        self.graph.push(op.into(), &[self.id])
    }

    /// A function of one element, by its name in [`UNARY`](crate::graph::ops::UNARY).
    pub fn unary(self, name: &'static str) -> Value<'g> {
        self.op(Unary { name })
    }

    /// A function of two elements, by its name in [`BINARY`](crate::graph::ops::BINARY), after
    /// broadcasting both operands to one shape.
    pub fn binary(self, name: &'static str, other: Value<'g>) -> Value<'g> {
        match self.shape().broadcast(&other.shape()) {
            Ok(shape) => {
                let (a, b) = (self.broadcast(shape.clone()), other.broadcast(shape));
                self.graph.push(Op::Binary(Binary { name }), &[a.id, b.id])
            }
            Err(error) => self.graph.failed(error),
        }
    }

    /// A constant of this value's shape and dtype.
    pub fn like(self, value: f64) -> Value<'g> {
        self.graph.scalar(value, self.dtype()).broadcast(self.shape())
    }

    /// A scalar constant of this value's dtype.
    pub fn scalar_like(self, value: f64) -> Value<'g> {
        self.graph.scalar(value, self.dtype())
    }

    /// `self ? a : b`; all three are broadcast to one shape.
    pub fn select(self, a: Value<'g>, b: Value<'g>) -> Value<'g> {
        let shape = a.shape().broadcast(&b.shape()).and_then(|s| s.broadcast(&self.shape()));
        match shape {
            Ok(shape) => {
                let [c, a, b] = [self, a, b].map(|v| v.broadcast(shape.clone()).id);
                self.graph.push(Op::Select(Select), &[c, a, b])
            }
            Err(error) => self.graph.failed(error),
        }
    }

    /// The same elements in another dtype; see [`Cast`]. A real value becomes complex with zeros.
    pub fn cast(self, dtype: DType) -> Value<'g> {
        match dtype {
            _ if dtype == self.dtype() => self,
            DType::Complex64 => Complex::from_any(self).value(),
            _ => self.op(Cast { dtype }),
        }
    }

    /// [`cast`](Value::cast) in which a number outside the range of a narrow integer becomes its bound.
    pub fn saturating_cast(self, dtype: DType) -> Value<'g> {
        if !dtype.is_int() || dtype.size() >= 4 {
            return self.cast(dtype);
        }
        let span = f64::from(1u32 << (8 * dtype.size()));
        let low = if dtype.is_signed_int() { -span / 2.0 } else { 0.0 };
        let high = low + span - 1.0;
        let unsigned = self.dtype().is_unsigned_int() || self.dtype() == DType::Bool;
        let wide = match (self.dtype().is_float(), unsigned) {
            (true, _) => self,
            (false, true) => self.cast(DType::UInt32),
            (false, false) => self.cast(DType::Int32),
        };
        // Nothing unsigned lies below a bound.
        let low = wide.scalar_like(if unsigned { 0.0 } else { low });
        wide.maximum(low).minimum(wide.scalar_like(high)).cast(dtype)
    }

    /// The same elements, in row-major order, under another shape of as many.
    pub fn reshape(self, shape: impl Into<Shape>) -> Value<'g> {
        let shape = shape.into();
        if shape == self.shape() { self } else { self.op(Reshape { shape }) }
    }

    /// Output axis `i` is this value's axis `axes[i]`.
    pub fn transpose(self, axes: &[usize]) -> Value<'g> {
        if axes.iter().copied().eq(0..self.rank()) {
            return self;
        }
        self.op(Transpose { axes: axes.to_vec() })
    }

    /// Axis `from` put at position `to`, the others in their order.
    pub fn move_axis(self, from: usize, to: usize) -> Value<'g> {
        let mut order: Vec<usize> = (0..self.rank()).filter(|&axis| axis != from).collect();
        order.insert(to.min(order.len()), from);
        self.transpose(&order)
    }

    /// NumPy's `broadcast_to`: repeated along axes of extent 1 and along new leading ones.
    pub fn broadcast(self, shape: impl Into<Shape>) -> Value<'g> {
        let shape = shape.into();
        if shape == self.shape() { self } else { self.op(Broadcast { shape }) }
    }

    /// Along every axis, `size` elements from `start` on, `step` apart.
    pub fn slice(self, start: &[usize], size: &[usize], step: &[i64]) -> Value<'g> {
        let whole = start.iter().all(|&s| s == 0) && step.iter().all(|&s| s == 1);
        if whole && *size == *self.shape().as_slice() {
            return self;
        }
        self.op(Slice { start: start.to_vec(), size: size.to_vec(), step: step.to_vec() })
    }

    /// Elements `start..start + size` along one axis.
    pub fn narrow(self, axis: usize, start: usize, size: usize) -> Value<'g> {
        let shape = self.shape();
        if axis >= shape.rank() {
            let expected = format!("an axis of {shape}");
            return self.graph.failed(Error::shape("narrow", axis.to_string(), expected));
        }
        let mut starts = vec![0; shape.rank()];
        starts[axis] = start;
        self.slice(&starts, &shape.with(axis, size), &vec![1; shape.rank()])
    }

    /// Elements in opposite order along `axes`.
    pub fn reverse(self, axes: &[usize]) -> Value<'g> {
        let shape = self.shape();
        if axes.iter().all(|&a| shape.get(a).is_none_or(|&d| d <= 1)) {
            return self;
        }
        let turned = |i: usize| axes.contains(&i);
        let start: Vec<usize> = (0..shape.rank())
            .map(|i| if turned(i) { shape[i].saturating_sub(1) } else { 0 })
            .collect();
        let step: Vec<i64> = (0..shape.rank()).map(|i| if turned(i) { -1 } else { 1 }).collect();
        self.slice(&start, &shape, &step)
    }

    /// `low` elements of `value` in front of and `high` behind every axis.
    pub fn pad(self, low: &[usize], high: &[usize], value: f64) -> Value<'g> {
        self.pad_with(low, high, &vec![0; low.len()], value)
    }

    /// Like [`pad`](Value::pad), with `interior` elements between neighbours.
    pub fn pad_with(
        self,
        low: &[usize],
        high: &[usize],
        interior: &[usize],
        value: f64,
    ) -> Value<'g> {
        if [low, high, interior].iter().all(|v| v.iter().all(|&n| n == 0)) {
            return self;
        }
        if let Some(Complex { re, im }) = Complex::of(self) {
            let pad = |part: Value<'g>, value| part.pad_with(low, high, interior, value);
            return Complex { re: pad(re, value), im: pad(im, 0.0) }.value();
        }
        let constant = Tensor::scalar(0.0).cast(self.dtype());
        let bits = Tensor::new([], &[value])
            .unwrap_or(constant)
            .cast(self.dtype())
            .to_array()
            .map(|a| a.word_bytes().try_into().map_or(0, u32::from_le_bytes));
        match bits {
            Ok(value) => self.op(Pad {
                low: low.to_vec(),
                high: high.to_vec(),
                interior: interior.to_vec(),
                value,
            }),
            Err(error) => self.graph.failed(error),
        }
    }

    fn reduce(self, kind: ReduceKind, axes: &[usize]) -> Value<'g> {
        if axes.is_empty() {
            return self;
        }
        let mut axes = axes.to_vec();
        axes.sort_unstable();
        axes.dedup();
        self.op(Reduce { kind, axes })
    }

    /// Sum over `axes`, which disappear.
    pub fn sum(self, axes: &[usize]) -> Value<'g> {
        self.reduce(ReduceKind::Sum, axes)
    }

    /// Product over `axes`, which disappear.
    pub fn prod(self, axes: &[usize]) -> Value<'g> {
        self.reduce(ReduceKind::Prod, axes)
    }

    /// Largest element over `axes`; any, for booleans.
    pub fn max(self, axes: &[usize]) -> Value<'g> {
        self.reduce(ReduceKind::Max, axes)
    }

    /// Smallest element over `axes`; all, for booleans.
    pub fn min(self, axes: &[usize]) -> Value<'g> {
        self.reduce(ReduceKind::Min, axes)
    }

    /// Mean over `axes`, which disappear.
    pub fn mean(self, axes: &[usize]) -> Value<'g> {
        let shape = self.shape();
        let count: usize = axes.iter().filter_map(|&a| shape.get(a)).product();
        self.sum(axes) / count as f64
    }

    /// Mean and variance over `axes`, which stay with extent 1.
    pub fn moments(self, axes: &[usize]) -> (Value<'g>, Value<'g>) {
        let shape = self.shape();
        let mean = self.mean(axes).keep_axes(&shape, axes);
        let variance = (self - mean).square().mean(axes).keep_axes(&shape, axes);
        (mean, variance)
    }

    /// The value with `axes`, which a reduction has removed from `of`, put back with extent 1.
    pub fn keep_axes(self, of: &Shape, axes: &[usize]) -> Value<'g> {
        let extent = |(i, &d): (usize, &usize)| if axes.contains(&i) { 1 } else { d };
        self.reshape(of.iter().enumerate().map(extent).collect::<Shape>())
    }

    /// Index (int32) of the first largest element along `axis`, which disappears; a NaN wins.
    pub fn argmax(self, axis: usize) -> Value<'g> {
        self.op(ArgReduce { max: true, axis })
    }

    /// Index (int32) of the first smallest element along `axis`, which disappears; a NaN wins.
    pub fn argmin(self, axis: usize) -> Value<'g> {
        self.op(ArgReduce { max: false, axis })
    }

    /// Batched matrix product of `[B, M, K]` and `[B, K, N]`.
    pub fn matmul(self, other: Value<'g>) -> Value<'g> {
        self.matmul_flags(other, false, false)
    }

    /// [`matmul`](Value::matmul) of operands whose last two axes may be exchanged.
    pub fn matmul_flags(self, other: Value<'g>, transpose_a: bool, transpose_b: bool) -> Value<'g> {
        let op = MatMul { transpose_a, transpose_b };
        self.graph.push(Op::MatMul(op), &[self.id, other.id])
    }

    /// Contraction of the last axis with the first axis of a matrix `[K, N]`: `[…, K] → […, N]`.
    pub fn dot(self, matrix: Value<'g>) -> Value<'g> {
        let (shape, inner) = (self.shape(), matrix.shape());
        let (Some((&k, lead)), &[rows, n]) = (shape.split_last(), inner.as_slice()) else {
            let found = format!("{shape} and {inner}");
            return self.graph.failed(Error::shape("dot", found, "rank ≥ 1 and a matrix"));
        };
        let m = lead.iter().product();
        let mut output = lead.to_vec();
        output.push(n);
        self.reshape([1, m, k]).matmul(matrix.reshape([1, rows, n])).reshape(output)
    }

    /// Elements of this value at integer `indices` along `axis`; see [`Gather`].
    pub fn gather(self, indices: Value<'g>, axis: usize) -> Value<'g> {
        self.graph.push(Op::Gather(Gather { axis }), &[self.id, indices.id])
    }

    /// Convolution or one of its gradients; the operands' shapes are those of [`Conv`].
    pub fn conv(self, other: Value<'g>, geometry: ConvGeometry, kind: ConvKind) -> Value<'g> {
        self.graph.push(Op::Conv(Conv { geometry, kind }), &[self.id, other.id])
    }

    /// Pooling of `[N, D, H, W, C]`.
    pub fn pool(self, pool: Pool) -> Value<'g> {
        self.op(pool)
    }

    /// Every element along `axis` `count` times in a row.
    pub fn repeat(self, axis: usize, count: usize) -> Value<'g> {
        let shape = self.shape();
        let Some(&extent) = shape.get(axis) else {
            let expected = format!("an axis of {shape}");
            return self.graph.failed(Error::shape("repeat", axis.to_string(), expected));
        };
        let insert = |n: usize| {
            let mut extents = shape.to_vec();
            extents.insert(axis + 1, n);
            extents
        };
        self.reshape(insert(1))
            .broadcast(insert(count))
            .reshape(shape.with(axis, extent.saturating_mul(count)))
    }

    /// The value itself, through which no gradient flows.
    pub fn stop_gradient(self) -> Value<'g> {
        self.op(StopGradient)
    }

    /// `max(self, other)`; NaN on either side gives NaN.
    pub fn maximum(self, other: Value<'g>) -> Value<'g> {
        self.binary("max", other)
    }

    /// `min(self, other)`; NaN on either side gives NaN.
    pub fn minimum(self, other: Value<'g>) -> Value<'g> {
        self.binary("min", other)
    }

    /// `e` to the power of each element.
    pub fn exp(self) -> Value<'g> {
        self.unary("exp")
    }

    /// The natural logarithm: minus infinity at zero, NaN below.
    pub fn log(self) -> Value<'g> {
        self.unary("log")
    }

    /// The square root; NaN below zero.
    pub fn sqrt(self) -> Value<'g> {
        self.unary("sqrt")
    }

    /// `1 / sqrt(self)`.
    pub fn rsqrt(self) -> Value<'g> {
        self.unary("rsqrt")
    }

    /// The distance from zero; integers stay integers.
    pub fn abs(self) -> Value<'g> {
        self.unary("abs")
    }

    /// The hyperbolic tangent.
    pub fn tanh(self) -> Value<'g> {
        self.unary("tanh")
    }

    /// `1 / (1 + exp(-self))`.
    pub fn sigmoid(self) -> Value<'g> {
        self.unary("sigmoid")
    }

    /// The value times itself.
    pub fn square(self) -> Value<'g> {
        self * self
    }

    /// `exp(x) / Σ exp(x)` along `axes`, shifted by the maximum.
    pub fn softmax(self, axes: &[usize]) -> Value<'g> {
        let shape = self.shape();
        let e = self.minus_max(axes).exp();
        e / e.sum(axes).keep_axes(&shape, axes)
    }

    /// `log(softmax(x))` without the detour.
    pub fn log_softmax(self, axes: &[usize]) -> Value<'g> {
        let shape = self.shape();
        let shifted = self.minus_max(axes);
        shifted - shifted.exp().sum(axes).log().keep_axes(&shape, axes)
    }

    fn minus_max(self, axes: &[usize]) -> Value<'g> {
        self - self.max(axes).stop_gradient().keep_axes(&self.shape(), axes)
    }
}

impl Graph {
    /// Index along `axis` of a tensor of this shape, as int32.
    pub fn iota(&self, shape: impl Into<Shape>, axis: usize) -> Value<'_> {
        self.push(Op::Iota(Iota { shape: shape.into(), axis }), &[])
    }

    /// Values joined along one axis.
    pub fn concat<'g>(&'g self, values: &[Value<'g>], axis: usize) -> Value<'g> {
        match values {
            [only] => *only,
            _ => {
                let ids: Vec<NodeId> = values.iter().map(|v| v.id).collect();
                self.push(Op::Concat(Concat { axis }), &ids)
            }
        }
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident $name:literal),*) => { $(
        impl<'g> $trait for Value<'g> {
            type Output = Value<'g>;
            fn $method(self, other: Value<'g>) -> Value<'g> {
                self.binary($name, other)
            }
        }
        impl<'g> $trait<f64> for Value<'g> {
            type Output = Value<'g>;
            fn $method(self, other: f64) -> Value<'g> {
                self.binary($name, self.scalar_like(other))
            }
        }
    )* };
}
operators!(Add add "add", Sub sub "sub", Mul mul "mul", Div div "div");

impl<'g> Neg for Value<'g> {
    type Output = Value<'g>;
    fn neg(self) -> Value<'g> {
        self.unary("neg")
    }
}

impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "%{} {}", self.id, self.spec())
    }
}
