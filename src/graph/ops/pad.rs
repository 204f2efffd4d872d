//! Constant elements around and between the elements of a tensor.

use crate::base::dtype::Lane;
use crate::base::{Error, Result, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp, unravel};
use crate::tensor::{Array, Words};

/// Along every axis, `low` elements in front, `high` behind, and `interior` between neighbours, all
/// of one constant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pad {
    /// For each axis, how many elements go in front.
    pub low: Vec<usize>,
    /// For each axis, how many elements go behind.
    pub high: Vec<usize>,
    /// For each axis, how many elements go between two neighbours.
    pub interior: Vec<usize>,
    /// Bits of the constant in the value's lane.
    pub value: u32,
}

impl OpDef for Pad {
    fn label(&self) -> String {
        format!("pad low={:?} high={:?} interior={:?}", self.low, self.high, self.interior)
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        let shape = &inputs[0].shape;
        if [self.low.len(), self.high.len(), self.interior.len()] != [shape.rank(); 3] {
            return Err(Error::shape(
                "pad",
                self.label(),
                format!("one entry per axis of {shape}"),
            ));
        }
        let padded = |axis: usize| -> Option<usize> {
            let gaps = shape[axis].saturating_sub(1).checked_mul(self.interior[axis])?;
            let inner = shape[axis].checked_add(gaps)?;
            inner.checked_add(self.low[axis])?.checked_add(self.high[axis])
        };
        let extents: Option<Vec<usize>> = (0..shape.rank()).map(padded).collect();
        let extents = extents
            .ok_or_else(|| Error::shape("pad", self.label(), "extents that fit the machine"))?;
        Ok(Spec::new(extents, inputs[0].dtype))
    }

    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        let step: Vec<i64> = self.interior.iter().map(|&i| i as i64 + 1).collect();
        vec![Some(cx.grad.slice(&self.low, &cx.inputs[0].shape(), &step))]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let input = &inputs[0].spec.shape;
        let strides = output.shape.strides();
        let len = output.shape.len();
        let mut words = match output.dtype.lane() {
            Lane::F32 => Words::F32(vec![f32::from_bits(self.value); len]),
            Lane::I32 => Words::I32(vec![self.value as i32; len]),
            Lane::U32 => Words::U32(vec![self.value; len]),
        };
        let mut index = vec![0; input.rank()];
        for i in 0..input.len() {
            unravel(i, input, &mut index);
            let along = |axis: usize| self.low[axis] + index[axis] * (self.interior[axis] + 1);
            let position: usize = (0..index.len()).map(|axis| along(axis) * strides[axis]).sum();
            match (&mut words, &inputs[0].words) {
                (Words::F32(to), Words::F32(from)) => to[position] = from[i],
                (Words::I32(to), Words::I32(from)) => to[position] = from[i],
                (Words::U32(to), Words::U32(from)) => to[position] = from[i],
                _ => return Err(Error::Internal("pad: lanes differ".into())),
            }
        }
        Ok(crate::graph::array(output.clone(), words))
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Map
    }
}
