//! Batched matrix product.

use crate::base::{Error, Result, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp};
use crate::tensor::Array;

/// `[B, M, K] · [B, K, N] → [B, M, N]`; a batch of 1 on one side is shared by all. With a transpose
/// flag the operand's last two axes are exchanged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MatMul {
    /// Whether the left operand comes as `[B, K, M]`.
    pub transpose_a: bool,
    /// Whether the right operand comes as `[B, N, K]`.
    pub transpose_b: bool,
}

/// Extents of one product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatMulExtents {
    /// Number of products.
    pub batch: usize,
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// Elements in each sum.
    pub k: usize,
}

impl MatMul {
    /// The extents for operands of these specs.
    pub fn extents(&self, a: &Spec, b: &Spec) -> Result<MatMulExtents> {
        let misfit = || {
            Error::shape(
                "matmul",
                format!("{a} and {b}"),
                "batch × rows × inner and batch × inner × columns of one floating dtype",
            )
        };
        let (&[ba, a0, a1], &[bb, b0, b1]) = (a.shape.as_slice(), b.shape.as_slice()) else {
            return Err(misfit());
        };
        let (m, k) = if self.transpose_a { (a1, a0) } else { (a0, a1) };
        let (inner, n) = if self.transpose_b { (b1, b0) } else { (b0, b1) };
        let batches = ba == bb || ba == 1 || bb == 1;
        if !batches || inner != k || a.dtype != b.dtype || !a.dtype.is_float() {
            return Err(misfit());
        }
        Ok(MatMulExtents { batch: if ba == 1 { bb } else { ba }, m, n, k })
    }
}

impl OpDef for MatMul {
    fn label(&self) -> String {
        let flag = |t: bool| if t { "ᵀ" } else { "" };
        format!("matmul a{}·b{}", flag(self.transpose_a), flag(self.transpose_b))
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        let e = self.extents(inputs[0], inputs[1])?;
        Ok(Spec::new([e.batch, e.m, e.n], inputs[0].dtype))
    }

    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        let (a, b, g) = (cx.inputs[0], cx.inputs[1], cx.grad);
        let (ta, tb) = (self.transpose_a, self.transpose_b);
        let da = if ta { b.matmul_flags(g, tb, true) } else { g.matmul_flags(b, false, !tb) };
        let db = if tb { g.matmul_flags(a, true, ta) } else { a.matmul_flags(g, !ta, false) };
        let shared = |d: Value<'g>, x: Value<'g>| {
            let repeated = d.shape()[0] != x.shape()[0];
            if repeated { d.sum(&[0]).reshape(x.shape()) } else { d }
        };
        vec![Some(shared(da, a)), Some(shared(db, b))]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let e = self.extents(&inputs[0].spec, &inputs[1].spec)?;
        let (a, b) = (inputs[0].as_f32(), inputs[1].as_f32());
        let batch = |x: &Array, i: usize| if x.spec.shape[0] == 1 { 0 } else { i };
        let mut words = Vec::with_capacity(output.shape.len());
        for i in 0..e.batch {
            let a = &a[batch(inputs[0], i) * e.m * e.k..];
            let b = &b[batch(inputs[1], i) * e.k * e.n..];
            for row in 0..e.m {
                for column in 0..e.n {
                    let term = |k: usize| {
                        let a = a[if self.transpose_a { k * e.m + row } else { row * e.k + k }];
                        let b =
                            b[if self.transpose_b { column * e.k + k } else { k * e.n + column }];
                        f64::from(a) * f64::from(b)
                    };
                    words.push((0..e.k).map(term).sum::<f64>() as f32);
                }
            }
        }
        Ok(crate::graph::array(output.clone(), crate::tensor::Words::F32(words)))
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Anchor
    }
}
