//! One step of sorting: runs merge to longer runs.

use crate::base::{DType, Error, Result, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp};
use crate::tensor::{Array, Words};

/// Merges sorted runs of a permutation.
///
/// Inputs are keys `[rows, n]` (uint32) and an order `[rows, n]` (int32), which holds positions along
/// the rows of the keys. In the order, every `run` entries in a row are sorted by their keys; in the
/// output, every `group` entries are. Entries with equal keys keep their order.
/// [`Value::argsort`] makes a sort of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SortStep {
    /// Entries in a row that are sorted already.
    pub run: usize,
    /// A multiple of `run`.
    pub group: usize,
}

impl OpDef for SortStep {
    fn label(&self) -> String {
        format!("sort step {} to {}", self.run, self.group)
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        let (keys, order) = (inputs[0], inputs[1]);
        let fits = keys.shape.rank() == 2
            && keys.shape == order.shape
            && keys.dtype == DType::UInt32
            && order.dtype == DType::Int32;
        if !fits || self.run == 0 || !self.group.is_multiple_of(self.run) {
            return Err(Error::shape(
                self.label(),
                format!("{keys} and {order}"),
                "uint32 keys and an int32 order of one shape [rows, n], groups of whole runs",
            ));
        }
        Ok(order.clone())
    }

    fn vjp<'g>(&self, _: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        vec![None, None]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let (Words::U32(keys), Words::I32(order)) = (&inputs[0].words, &inputs[1].words) else {
            return Err(Error::Internal("sort step: operands in other lanes".into()));
        };
        let n = output.shape[1].max(1);
        let mut order = order.clone();
        for (keys, order) in keys.chunks(n).zip(order.chunks_mut(n)) {
            // Positions come from the order's own row; one outside it sorts last.
            let key = |&at: &i32| usize::try_from(at).ok().and_then(|at| keys.get(at).copied());
            for group in order.chunks_mut(self.group) {
                group.sort_by_key(|at| key(at).unwrap_or(u32::MAX));
            }
        }
        Ok(Array { spec: output.clone(), words: Words::I32(order) })
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Opaque
    }
}
