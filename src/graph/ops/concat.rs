//! Tensors joined along one axis.

use crate::base::{Error, Result, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp};
use crate::tensor::{Array, Words};

/// Joins inputs that agree on all other extents.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Concat {
    /// The axis along which the inputs follow each other.
    pub axis: usize,
}

impl OpDef for Concat {
    fn label(&self) -> String {
        format!("concat axis={}", self.axis)
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        let first = inputs
            .first()
            .filter(|s| self.axis < s.shape.rank())
            .ok_or_else(|| Error::shape("concat", self.label(), "inputs that have the axis"))?;
        let mut total = 0usize;
        for spec in inputs {
            let fits = spec.dtype == first.dtype
                && spec.shape.rank() == first.shape.rank()
                && spec.shape.with(self.axis, 0) == first.shape.with(self.axis, 0);
            if !fits {
                return Err(Error::shape(
                    "concat",
                    format!("{first} and {spec}"),
                    format!("equal dtypes and extents outside axis {}", self.axis),
                ));
            }
            total = total.saturating_add(spec.shape[self.axis]);
        }
        Ok(Spec::new(first.shape.with(self.axis, total), first.dtype))
    }

    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        let mut start = vec![0; cx.output.shape().rank()];
        let step = vec![1; start.len()];
        cx.inputs
            .iter()
            .map(|input| {
                let part = cx.grad.slice(&start, &input.shape(), &step);
                start[self.axis] += input.shape()[self.axis];
                Some(part)
            })
            .collect()
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let outer: usize = output.shape[..self.axis].iter().product();
        let mut words = Words::zeros(output.dtype.lane(), 0);
        for i in 0..outer {
            for input in inputs {
                let run = input.len() / outer;
                let range = i * run..(i + 1) * run;
                match (&mut words, &input.words) {
                    (Words::F32(to), Words::F32(from)) => to.extend_from_slice(&from[range]),
                    (Words::I32(to), Words::I32(from)) => to.extend_from_slice(&from[range]),
                    (Words::U32(to), Words::U32(from)) => to.extend_from_slice(&from[range]),
                    _ => return Err(Error::Internal("concat: lanes differ".into())),
                }
            }
        }
        Ok(crate::graph::array(output.clone(), words))
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Map
    }
}
