//! Numbers with a scale and a zero point for every group of them.

use std::sync::Arc;

use crate::base::{DType, Result, Source, Spec};
use crate::graph::Value;
use crate::layers::LayerBase;
use crate::operations::indexing::take;
use crate::tensor::Variable;

/// The zero points of groups of neighbours, and which group a position is in.
pub struct Groups {
    /// Zero points of the groups: Keras's `kernel_zero`.
    pub zero: Variable,
    /// The number of the group of each input, in float32: Keras's `g_idx`.
    pub index: Variable,
}

/// (numbers - zero) · scale, where along `axis` number i belongs to group `index[i]` of scale and
/// zero. Keras's `dequantize_with_sz_map`; the result has the dtype of the scale.
pub fn dequantize_groups<'g>(
    numbers: Value<'g>,
    scale: Value<'g>,
    zero: Value<'g>,
    index: Value<'g>,
    axis: usize,
) -> Value<'g> {
    let index = index.cast(DType::Int32);
    let scale = take(scale, index, axis);
    let zero = take(zero, index, axis).cast(scale.dtype());
    (numbers.cast(scale.dtype()) - zero) * scale
}

/// The variable that says which group an input is in: with groups of a size, neighbours are together.
///
/// # Errors
/// If there are too many rows.
pub fn group_index(base: &mut LayerBase, rows: usize, group: Option<u32>) -> Result<Variable> {
    let size = group.map_or(usize::MAX, |group| group as usize);
    let spec = Spec::new([rows], DType::Float32);
    base.add_frozen_from("g_idx", Arc::new(GroupIndex { spec, size }))
}

/// Every position divided by the size of a group, without the rest.
struct GroupIndex {
    spec: Spec,
    size: usize,
}

impl Source for GroupIndex {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn read(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
        for (position, byte) in (offset..).zip(buf) {
            let group = (position / 4 / self.size) as f32;
            *byte = group.to_le_bytes()[position % 4];
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    #[test]
    fn neighbours_share_a_group_whatever_the_pieces() {
        let source = GroupIndex { spec: Spec::new([5], DType::Float32), size: 2 };
        let whole = Tensor::from_source(&source).unwrap();
        assert_eq!(whole.to_vec::<f32>().unwrap(), [0.0, 0.0, 1.0, 1.0, 2.0]);
        let mut piece = [0; 7];
        source.read(9, &mut piece).unwrap();
        assert_eq!(piece, whole.bytes()[9..16]);
    }
}
