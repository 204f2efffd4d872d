//! Position of the largest or smallest element along an axis.

use crate::base::{DType, Error, Result, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp};
use crate::tensor::{Array, Words};

/// Index (int32) of the first maximum, or minimum, along `axis`, which disappears. A NaN wins over
/// every number, as in NumPy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArgReduce {
    /// Whether the largest element is looked for, and not the smallest.
    pub max: bool,
    /// The axis that is searched and disappears.
    pub axis: usize,
}

impl OpDef for ArgReduce {
    fn label(&self) -> String {
        format!("arg{} axis={}", if self.max { "max" } else { "min" }, self.axis)
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        let shape = &inputs[0].shape;
        if self.axis >= shape.rank() || shape[self.axis] == 0 {
            return Err(Error::shape(self.label(), shape.to_string(), "a non-empty axis"));
        }
        let kept = (0..shape.rank()).filter(|&i| i != self.axis).map(|i| shape[i]);
        Ok(Spec::new(kept.collect::<Vec<_>>(), DType::Int32))
    }

    fn vjp<'g>(&self, _: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        vec![None]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let shape = &inputs[0].spec.shape;
        let (extent, stride) = (shape[self.axis], shape.strides()[self.axis]);
        let number = |i: usize| match &inputs[0].words {
            Words::F32(v) => f64::from(v[i]),
            _ => inputs[0].index(i) as f64,
        };
        let wins =
            |a: f64, b: f64| !b.is_nan() && (a.is_nan() || if self.max { a > b } else { a < b });
        let first = |i: usize| {
            let start = i / stride * stride * extent + i % stride;
            let best = |best: usize, k: usize| {
                if wins(number(start + k * stride), number(start + best * stride)) {
                    k
                } else {
                    best
                }
            };
            (1..extent).fold(0, best) as i32
        };
        let words = Words::I32((0..output.shape.len()).map(first).collect());
        Ok(crate::graph::array(output.clone(), words))
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Reduce
    }
}
