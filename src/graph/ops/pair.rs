//! A real and an imaginary part under one name.

use crate::base::{DType, Error, Result, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp};
use crate::tensor::Array;

/// Complex numbers of their real and their imaginary part, float32 of one shape. It is never computed:
/// what needs complex numbers takes the inputs of this operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pair;

impl OpDef for Pair {
    fn label(&self) -> String {
        "complex numbers".into()
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        match inputs {
            [re, im] if re == im && re.dtype == DType::Float32 => {
                Ok(Spec::new(re.shape.clone(), DType::Complex64))
            }
            _ => {
                let found: Vec<String> = inputs.iter().map(ToString::to_string).collect();
                let expected = "a real and an imaginary part, float32 of one shape";
                Err(Error::shape("complex numbers", found.join(" and "), expected))
            }
        }
    }

    // Gradients flow through the parts, which all that computes has as its inputs.
    fn vjp<'g>(&self, _: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        vec![None, None]
    }

    fn eval(&self, _: &[&Array], _: &Spec) -> Result<Array> {
        Err(Error::Internal("complex numbers are computed in parts".into()))
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Leaf
    }
}
