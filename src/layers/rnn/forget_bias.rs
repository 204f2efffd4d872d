//! Where the bias of a cell with a forget gate starts: at ones for that gate, so that a new cell keeps its
//! state (Jozefowicz et al. 2015), and as the initializer says for the others.

use std::sync::Arc;

use crate::base::{DType, Result, Source, Spec};
use crate::initializers::Initializer;

/// Sources one behind the other, along one axis.
struct Joined {
    spec: Spec,
    parts: Vec<Arc<dyn Source>>,
}

/// A bias of four gates of `units` each, the second of which is the forget gate.
pub(super) fn forget_bias(
    initializer: &Initializer,
    units: usize,
    dtype: DType,
) -> Result<Arc<dyn Source>> {
    let parts = vec![
        initializer.source([units].into(), dtype)?,
        Initializer::ONES.source([units].into(), dtype)?,
        initializer.source([units.saturating_mul(2)].into(), dtype)?,
    ];
    let spec = Spec::new([units.saturating_mul(4)], dtype);
    Ok(Arc::new(Joined { spec, parts }))
}

impl Source for Joined {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn read(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
        let mut start = 0;
        for part in &self.parts {
            let end = start + part.spec().bytes();
            let (from, to) = (offset.max(start), (offset + buf.len()).min(end));
            if from < to {
                part.read(from - start, &mut buf[from - offset..to - offset])?;
            }
            start = end;
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        self.parts.iter().try_for_each(|part| part.check())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    #[test]
    fn the_forget_gate_starts_at_ones_whatever_the_pieces() {
        let source = forget_bias(&Initializer::Constant(3.0), 2, DType::Float32).unwrap();
        let whole = Tensor::from_source(source.as_ref()).unwrap();
        assert_eq!(whole.to_vec::<f32>().unwrap(), [3.0, 3.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0]);
        let mut piece = [0; 12];
        source.read(4, &mut piece).unwrap();
        assert_eq!(piece, whole.bytes()[4..16]);
    }
}
