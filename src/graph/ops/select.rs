//! Choice between two values by a condition.

use crate::base::{DType, Error, Result, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp};
use crate::tensor::{Array, Words};

/// `condition ? a : b`, element by element; all three have one shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Select;

impl OpDef for Select {
    fn label(&self) -> String {
        "select".into()
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        let [condition, a, b] = [inputs[0], inputs[1], inputs[2]];
        if a != b || condition.shape != a.shape || condition.dtype != DType::Bool {
            return Err(Error::shape(
                "select",
                format!("{condition}, {a}, {b}"),
                "a bool condition and two values of its shape with one dtype",
            ));
        }
        Ok(a.clone())
    }

    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        let (condition, zero) = (cx.inputs[0], cx.grad.like(0.0));
        vec![None, Some(condition.select(cx.grad, zero)), Some(condition.select(zero, cx.grad))]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let Words::U32(condition) = &inputs[0].words else {
            return Err(Error::Internal("select: the condition is not boolean".into()));
        };
        fn pick<T: Copy>(condition: &[u32], a: &[T], b: &[T]) -> Vec<T> {
            condition
                .iter()
                .zip(a.iter().zip(b))
                .map(|(&c, (&a, &b))| if c != 0 { a } else { b })
                .collect()
        }
        let words = match (&inputs[1].words, &inputs[2].words) {
            (Words::F32(a), Words::F32(b)) => Words::F32(pick(condition, a, b)),
            (Words::I32(a), Words::I32(b)) => Words::I32(pick(condition, a, b)),
            (Words::U32(a), Words::U32(b)) => Words::U32(pick(condition, a, b)),
            _ => return Err(Error::Internal("select: values in two lanes".into())),
        };
        Ok(crate::graph::array(output.clone(), words))
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Map
    }
}
