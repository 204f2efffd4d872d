//! Axes in another order.

use crate::base::{Error, Result, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp, unravel};
use crate::tensor::Array;

/// Output axis `i` is input axis `axes[i]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Transpose {
    /// For each axis of the output, the axis of the input that it is.
    pub axes: Vec<usize>,
}

impl Transpose {
    /// The permutation that undoes this one.
    pub fn inverse(&self) -> Vec<usize> {
        let mut inverse = vec![0; self.axes.len()];
        for (i, &axis) in self.axes.iter().enumerate() {
            inverse[axis] = i;
        }
        inverse
    }
}

impl OpDef for Transpose {
    fn label(&self) -> String {
        format!("transpose {:?}", self.axes)
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        let shape = &inputs[0].shape;
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        if sorted != (0..shape.rank()).collect::<Vec<_>>() {
            return Err(Error::shape(
                "transpose",
                format!("axes {:?}", self.axes),
                format!("a permutation of the axes of {shape}"),
            ));
        }
        Ok(Spec::new(self.axes.iter().map(|&a| shape[a]).collect::<Vec<_>>(), inputs[0].dtype))
    }

    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        vec![Some(cx.grad.transpose(&self.inverse()))]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let strides = inputs[0].spec.shape.strides();
        let mut index = vec![0; output.shape.rank()];
        let positions: Vec<usize> = (0..output.shape.len())
            .map(|i| {
                unravel(i, &output.shape, &mut index);
                index.iter().zip(&self.axes).map(|(i, &a)| i * strides[a]).sum()
            })
            .collect();
        let words = inputs[0].words.pick(positions.len(), |i| positions[i]);
        Ok(crate::graph::array(output.clone(), words))
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::View
    }
}
