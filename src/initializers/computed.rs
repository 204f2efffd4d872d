//! Weights whose elements depend on each other, computed as a whole when first read.

use std::sync::OnceLock;

use crate::base::{DType, Result, Shape, Source, Spec};
use crate::tensor::Tensor;

/// What computes a weight.
pub(super) type Make = Box<dyn Fn(&Spec) -> Result<Tensor> + Send + Sync>;

/// A weight that is computed once.
pub(super) struct ComputedSource {
    spec: Spec,
    make: Make,
    made: OnceLock<Tensor>,
}

impl ComputedSource {
    pub fn new(spec: Spec, make: Make) -> ComputedSource {
        ComputedSource { spec, make, made: OnceLock::new() }
    }
}

impl Source for ComputedSource {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn read(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
        let made = match self.made.get() {
            Some(made) => made,
            None => {
                let made = (self.make)(&self.spec)?;
                self.made.get_or_init(|| made)
            }
        };
        made.read(offset, buf)
    }
}

/// Numbers rounded to a dtype.
pub(super) fn rounded(numbers: &[f64], dtype: DType) -> Result<Vec<f64>> {
    let tensor = Tensor::new([numbers.len()], numbers)?.cast(dtype);
    Ok(tensor.iter_f64().collect())
}

/// `Constant` of an array: its elements, repeated along the axes that it lacks or has one element of.
pub(super) fn broadcast(values: &Tensor, spec: &Spec) -> Result<Tensor> {
    let own = values.shape();
    let strides = own.strides();
    let numbers: Vec<f64> = values.iter_f64().collect();
    let lead = spec.shape.rank() - own.rank();
    let at = |position: usize| {
        let (mut rest, mut index) = (position, 0);
        for (axis, &extent) in spec.shape.iter().enumerate().rev() {
            let place = rest % extent;
            rest /= extent;
            if axis >= lead && own[axis - lead] > 1 {
                index += place * strides[axis - lead];
            }
        }
        numbers[index]
    };
    let elements: Vec<f64> = (0..spec.shape.len()).map(at).collect();
    Tensor::new(Shape::clone(&spec.shape), &elements).map(|tensor| tensor.cast(spec.dtype))
}
