//! The same elements, in the same order, under another shape.

use crate::base::{Error, Result, Shape, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp};
use crate::tensor::Array;

/// Row-major reshape.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reshape {
    /// The shape of the result, of as many elements.
    pub shape: Shape,
}

impl OpDef for Reshape {
    fn label(&self) -> String {
        format!("reshape {}", self.shape)
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        if inputs[0].shape.checked_len()? != self.shape.checked_len()? {
            return Err(Error::shape(
                "reshape",
                format!("{} to {}", inputs[0].shape, self.shape),
                format!("{} elements", inputs[0].shape.len()),
            ));
        }
        Ok(Spec::new(self.shape.clone(), inputs[0].dtype))
    }

    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        vec![Some(cx.grad.reshape(cx.inputs[0].shape()))]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        Ok(Array { spec: output.clone(), words: inputs[0].words.clone() })
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::View
    }
}
