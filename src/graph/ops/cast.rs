//! Change of dtype.

use crate::base::dtype::Lane;
use crate::base::{DType, Result, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp};
use crate::tensor::{Array, Words};

/// The same elements in another dtype: floats truncate towards integers (out of the lane's range
/// saturates, NaN becomes 0), integers wrap, anything but zero is true.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cast {
    /// The dtype of the result.
    pub dtype: DType,
}

impl OpDef for Cast {
    fn label(&self) -> String {
        format!("cast {}", self.dtype)
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        Ok(Spec::new(inputs[0].shape.clone(), self.dtype))
    }

    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        let source = cx.inputs[0].spec().dtype;
        vec![(source.is_float() && self.dtype.is_float()).then(|| cx.grad.cast(source))]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let to_bool = self.dtype == DType::Bool;
        let words = match (&inputs[0].words, self.dtype.lane()) {
            (Words::F32(v), Lane::F32) => Words::F32(v.clone()),
            (Words::F32(v), Lane::I32) => Words::I32(v.iter().map(|&x| x as i32).collect()),
            (Words::F32(v), Lane::U32) if to_bool => {
                Words::U32(v.iter().map(|&x| u32::from(x != 0.0)).collect())
            }
            (Words::F32(v), Lane::U32) => Words::U32(v.iter().map(|&x| x as u32).collect()),
            (Words::I32(v), Lane::F32) => Words::F32(v.iter().map(|&x| x as f32).collect()),
            (Words::I32(v), Lane::I32) => Words::I32(v.clone()),
            (Words::I32(v), Lane::U32) => Words::U32(v.iter().map(|&x| x as u32).collect()),
            (Words::U32(v), Lane::F32) => Words::F32(v.iter().map(|&x| x as f32).collect()),
            (Words::U32(v), Lane::I32) => Words::I32(v.iter().map(|&x| x as i32).collect()),
            (Words::U32(v), Lane::U32) => Words::U32(v.clone()),
        };
        Ok(crate::graph::array(output.clone(), words))
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Map
    }
}
