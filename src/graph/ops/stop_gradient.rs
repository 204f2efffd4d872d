//! A value through which no gradient flows.

use crate::base::{Result, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp};
use crate::tensor::Array;

/// The value itself; its gradient is nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StopGradient;

impl OpDef for StopGradient {
    fn label(&self) -> String {
        "stop_gradient".into()
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        Ok(inputs[0].clone())
    }

    fn vjp<'g>(&self, _: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        vec![None]
    }

    fn eval(&self, inputs: &[&Array], _: &Spec) -> Result<Array> {
        Ok(inputs[0].clone())
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::View
    }
}
