//! Solution of triangular systems.

use crate::base::{DType, Error, Result, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp};
use crate::tensor::{Array, Words};

/// X with A·X = B, or Aᵀ·X = B, for A `[batch, n, n]` of which one triangle is read, and B
/// `[batch, n, k]`, both float32.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TriangularSolve {
    /// Whether A's lower triangle is read, else its upper one.
    pub lower: bool,
    /// Whether Aᵀ stands in the place of A.
    pub transpose: bool,
    /// Whether the diagonal counts as ones, whatever it holds.
    pub unit_diagonal: bool,
}

impl TriangularSolve {
    /// Whether the first row is solved first.
    pub fn forward(&self) -> bool {
        self.lower != self.transpose
    }
}

impl OpDef for TriangularSolve {
    fn label(&self) -> String {
        let flags =
            [(self.lower, "lower"), (self.transpose, "transpose"), (self.unit_diagonal, "unit")];
        let named = flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name);
        ["triangular solve"].into_iter().chain(named).collect::<Vec<_>>().join(" ")
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        let (a, b) = (inputs[0], inputs[1]);
        let fits = match (a.shape.as_slice(), b.shape.as_slice()) {
            (&[batch, m, n], &[other, rows, _]) => batch == other && m == n && rows == n,
            _ => false,
        };
        if !fits || a.dtype != DType::Float32 || b.dtype != DType::Float32 {
            let expected = "[batch, n, n] and [batch, n, k] of float32";
            return Err(Error::shape(self.label(), format!("{a} and {b}"), expected));
        }
        Ok(b.clone())
    }

    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        let op = TriangularSolve { transpose: !self.transpose, ..self.clone() };
        let by_b = cx.grad.graph().apply(op, &[cx.inputs[0], cx.grad]);
        let (left, right) = if self.transpose { (cx.output, by_b) } else { (by_b, cx.output) };
        let outer = -left.matmul_flags(right, false, true);
        let (row, column) =
            (outer.graph().iota(outer.shape(), 1), outer.graph().iota(outer.shape(), 2));
        let test = match (self.lower, self.unit_diagonal) {
            (true, false) => "ge",
            (true, true) => "gt",
            (false, false) => "le",
            (false, true) => "lt",
        };
        let by_a = row.binary(test, column).select(outer, outer.like(0.0));
        vec![Some(by_a), Some(by_b)]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let &[_, n, k] = output.shape.as_slice() else {
            return Err(Error::Internal("triangular solve: no batch of matrices".into()));
        };
        let (a, b) = (inputs[0].as_f32(), inputs[1].as_f32());
        let mut x: Vec<f64> = b.iter().map(|&b| b.into()).collect();
        for (x, a) in x.chunks_exact_mut((n * k).max(1)).zip(a.chunks_exact((n * n).max(1))) {
            let at = |i: usize, j: usize| {
                f64::from(if self.transpose { a[j * n + i] } else { a[i * n + j] })
            };
            for step in 0..n {
                let i = if self.forward() { step } else { n - 1 - step };
                let solved = if self.forward() { 0..i } else { i + 1..n };
                let diagonal = if self.unit_diagonal { 1.0 } else { at(i, i) };
                for column in 0..k {
                    let known: f64 = solved.clone().map(|j| at(i, j) * x[j * k + column]).sum();
                    x[i * k + column] = (x[i * k + column] - known) / diagonal;
                }
            }
        }
        Ok(Array {
            spec: output.clone(),
            words: Words::F32(x.into_iter().map(|x| x as f32).collect()),
        })
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Opaque
    }
}
