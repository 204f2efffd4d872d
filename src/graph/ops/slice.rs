//! A regular part of a tensor.

use crate::base::{Error, Result, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp, unravel};
use crate::tensor::Array;

/// Along every axis, `size` elements from `start` on, `step` apart; a negative step runs backwards.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slice {
    /// For each axis, the index of the first element taken.
    pub start: Vec<usize>,
    /// For each axis, how many elements are taken.
    pub size: Vec<usize>,
    /// For each axis, the distance to the next element taken; never 0.
    pub step: Vec<i64>,
}

impl Slice {
    fn last(&self, axis: usize) -> Option<i64> {
        let steps = i64::try_from(self.size[axis]).ok()? - 1;
        i64::try_from(self.start[axis]).ok()?.checked_add(steps.checked_mul(self.step[axis])?)
    }
}

impl OpDef for Slice {
    fn label(&self) -> String {
        format!("slice start={:?} size={:?} step={:?}", self.start, self.size, self.step)
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        let shape = &inputs[0].shape;
        let ranks = [self.start.len(), self.size.len(), self.step.len()];
        let inside = |axis: usize| {
            let extent = shape[axis];
            self.step[axis] != 0
                && (self.size[axis] == 0
                    || (self.start[axis] < extent
                        && self.last(axis).is_some_and(|l| l >= 0 && (l as u64) < extent as u64)))
        };
        if ranks != [shape.rank(); 3] || !(0..shape.rank()).all(inside) {
            return Err(Error::shape("slice", self.label(), format!("positions inside {shape}")));
        }
        Ok(Spec::new(self.size.clone(), inputs[0].dtype))
    }

    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        let shape = cx.inputs[0].shape();
        let reversed: Vec<usize> = (0..self.step.len()).filter(|&i| self.step[i] < 0).collect();
        let forward = cx.grad.reverse(&reversed);
        let (mut low, mut high, mut interior) = (Vec::new(), Vec::new(), Vec::new());
        for axis in 0..self.step.len() {
            if self.size[axis] == 0 {
                low.push(0);
                high.push(shape[axis]);
                interior.push(0);
                continue;
            }
            let last = self.last(axis).and_then(|l| usize::try_from(l).ok()).unwrap_or(0);
            low.push(self.start[axis].min(last));
            high.push(shape[axis] - 1 - self.start[axis].max(last));
            interior.push(self.step[axis].unsigned_abs() as usize - 1);
        }
        vec![Some(forward.pad_with(&low, &high, &interior, 0.0))]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let strides = inputs[0].spec.shape.strides();
        let mut index = vec![0; output.shape.rank()];
        let positions: Vec<usize> = (0..output.shape.len())
            .map(|i| {
                unravel(i, &output.shape, &mut index);
                let along =
                    |axis: usize| self.start[axis] as i64 + index[axis] as i64 * self.step[axis];
                (0..index.len()).map(|axis| along(axis) as usize * strides[axis]).sum()
            })
            .collect();
        let words = inputs[0].words.pick(positions.len(), |i| positions[i]);
        Ok(crate::graph::array(output.clone(), words))
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::View
    }
}
