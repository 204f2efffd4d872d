//! Repetition along axes of extent 1 and along new leading axes.

use crate::base::{Error, Result, Shape, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp, unravel};
use crate::tensor::Array;

/// NumPy's `broadcast_to`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Broadcast {
    /// The shape of the result.
    pub shape: Shape,
}

impl Broadcast {
    /// Output axes along which the input is repeated.
    fn repeated(&self, input: &Shape) -> Vec<usize> {
        let lead = self.shape.rank() - input.rank();
        let stretched = |&i: &usize| i < lead || (input[i - lead] == 1 && self.shape[i] != 1);
        (0..self.shape.rank()).filter(stretched).collect()
    }
}

impl OpDef for Broadcast {
    fn label(&self) -> String {
        format!("broadcast {}", self.shape)
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        let shape = &inputs[0].shape;
        if shape.broadcast(&self.shape).ok().as_ref() != Some(&self.shape) {
            return Err(Error::shape(
                "broadcast",
                format!("{shape} to {}", self.shape),
                "a target whose last extents equal the source's, or the source's are 1",
            ));
        }
        Ok(Spec::new(self.shape.clone(), inputs[0].dtype))
    }

    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        let shape = cx.inputs[0].shape();
        vec![Some(cx.grad.sum(&self.repeated(&shape)).reshape(shape))]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let input = &inputs[0].spec.shape;
        let lead = output.shape.rank() - input.rank();
        let mut strides = vec![0; lead];
        strides.extend(
            input.strides().iter().zip(input.iter()).map(|(&s, &d)| if d == 1 { 0 } else { s }),
        );
        let mut index = vec![0; output.shape.rank()];
        let positions: Vec<usize> = (0..output.shape.len())
            .map(|i| {
                unravel(i, &output.shape, &mut index);
                index.iter().zip(&strides).map(|(i, s)| i * s).sum()
            })
            .collect();
        let words = inputs[0].words.pick(positions.len(), |i| positions[i]);
        Ok(crate::graph::array(output.clone(), words))
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::View
    }
}
