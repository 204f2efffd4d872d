//! The same bits under another dtype.

use crate::base::{DType, Error, Result, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp};
use crate::tensor::convert::{bits_of, word_of};
use crate::tensor::{Array, Words};

/// Every element's stored bits, read as another dtype of the same size, which is at most 32 bits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bitcast {
    /// The dtype that the bits are read as.
    pub dtype: DType,
}

impl OpDef for Bitcast {
    fn label(&self) -> String {
        format!("bitcast {}", self.dtype)
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        let from = inputs[0].dtype;
        if from.size() != self.dtype.size() || from.size() > 4 {
            return Err(Error::DType {
                context: self.label(),
                found: from.name().into(),
                expected: format!("a dtype of {} bytes, at most 4", self.dtype.size()),
            });
        }
        Ok(Spec::new(inputs[0].shape.clone(), self.dtype))
    }

    fn vjp<'g>(&self, _: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        vec![None]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let from = inputs[0].spec.dtype;
        let to = |word: u32| word_of(output.dtype, bits_of(from, word));
        let words = match &inputs[0].words {
            Words::F32(v) => v.iter().map(|x| to(x.to_bits())).collect(),
            Words::I32(v) => v.iter().map(|&x| to(x as u32)).collect(),
            Words::U32(v) => v.iter().map(|&x| to(x)).collect(),
        };
        Ok(Array { spec: output.clone(), words: Words::from_bits(output.dtype.lane(), words) })
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Map
    }
}
