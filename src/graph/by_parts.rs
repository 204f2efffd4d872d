//! Operations on complex numbers, as operations on their real and imaginary parts.

use crate::base::{DType, Error, Result};
use crate::graph::ops::{Binary, Pool, PoolMode, Reduce, ReduceKind, Unary};
use crate::graph::{Complex, Graph, NodeId, Op, Value};

impl Graph {
    /// Whether one of these nodes is complex.
    pub(super) fn any_complex(&self, inputs: &[NodeId]) -> bool {
        inputs.iter().any(|&id| self.with_node(id, |node| node.spec.dtype == DType::Complex64))
    }

    /// An operation some of whose inputs are complex.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if complex numbers are nothing that it works with.
    pub(super) fn push_by_parts(&self, op: &Op, inputs: &[NodeId]) -> Result<Value<'_>> {
        let values: Vec<Value<'_>> = inputs.iter().map(|&id| self.value(id)).collect();
        if values.iter().any(|&v| v.dtype() == DType::Complex64 && Complex::of(v).is_none()) {
            // What runs through a loop has one lane.
            return Err(refused(op));
        }
        let all: Vec<Complex<'_>> = values.iter().map(|&v| Complex::from_any(v)).collect();
        let apart = |numbers: &[Complex<'_>]| {
            let part = |part: fn(&Complex<'_>) -> NodeId| {
                self.push(op.clone(), &numbers.iter().map(part).collect::<Vec<_>>())
            };
            Complex { re: part(|c| c.re.id()), im: part(|c| c.im.id()) }
        };
        let result = match (op, all.as_slice()) {
            (
                Op::Reshape(_)
                | Op::Transpose(_)
                | Op::Broadcast(_)
                | Op::Slice(_)
                | Op::Concat(_)
                | Op::StopGradient(_)
                | Op::Reduce(Reduce { kind: ReduceKind::Sum, .. })
                | Op::Pool(Pool { mode: PoolMode::Average, .. })
                | Op::Unary(Unary { name: "neg" })
                | Op::Binary(Binary { name: "add" | "sub" }),
                all,
            ) => apart(all),
            (Op::Gather(_), [data, _]) if values[1].dtype().is_int() => {
                data.map(|part| self.push(op.clone(), &[part.id(), inputs[1]]))
            }
            (Op::Select(_), [_, a, b]) if values[0].dtype() == DType::Bool => {
                let select = |a: Value<'_>, b: Value<'_>| {
                    self.push(op.clone(), &[inputs[0], a.id(), b.id()]).id()
                };
                let (re, im) = (select(a.re, b.re), select(a.im, b.im));
                Complex { re: self.value(re), im: self.value(im) }
            }
            (Op::Binary(Binary { name: "mul" }), &[a, b]) => a.times(b),
            (Op::Binary(Binary { name: "div" }), &[a, b]) => a.over(b),
            (Op::Binary(Binary { name: "eq" }), &[a, b]) => return Ok(a.equals(b)),
            (Op::Binary(Binary { name: "ne" }), &[a, b]) => return Ok(a.equals(b).unary("not")),
            (Op::MatMul(_), &[a, b]) => {
                let product =
                    |a: Value<'_>, b: Value<'_>| self.push(op.clone(), &[a.id(), b.id()]).id();
                let [rr, ii, ri, ir] = [
                    product(a.re, b.re),
                    product(a.im, b.im),
                    product(a.re, b.im),
                    product(a.im, b.re),
                ]
                .map(|id| self.value(id));
                Complex { re: rr - ii, im: ri + ir }
            }
            _ => return Err(refused(op)),
        };
        Ok(result.value())
    }
}

fn refused(op: &Op) -> Error {
    Error::Unsupported(format!(
        "complex numbers in '{}': only layers that move, join, add or multiply elements work with \
         them, and operations of keras.ops such as add, matmul, abs, angle, real and view_as_real",
        op.def().label()
    ))
}
