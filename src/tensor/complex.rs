//! Tensors of complex numbers.

use crate::base::{DType, Error, Result, Shape, Spec};
use crate::tensor::Tensor;

impl Tensor {
    /// Complex numbers as float32 with a last axis of two, the real and the imaginary part; other tensors
    /// as they are.
    pub fn in_parts(&self) -> Tensor {
        if self.dtype() != DType::Complex64 {
            return self.clone();
        }
        let mut shape = self.shape().to_vec();
        shape.push(2);
        Tensor { spec: Spec::new(shape, DType::Float32), ..self.clone() }
    }

    /// The inverse of [`in_parts`](Tensor::in_parts).
    ///
    /// # Errors
    /// If the tensor is not float32 with a last axis of two.
    pub fn from_parts(parts: &Tensor) -> Result<Tensor> {
        match parts.shape().split_last() {
            Some((2, shape)) if parts.dtype() == DType::Float32 => {
                let spec = Spec::new(Shape::from(shape), DType::Complex64);
                Ok(Tensor { spec, ..parts.clone() })
            }
            _ => Err(Error::shape(
                "complex numbers",
                parts.spec().to_string(),
                "float32 with a last axis of two, the real and the imaginary part",
            )),
        }
    }

    /// Real numbers with imaginary parts of zero.
    pub(super) fn to_complex(&self) -> Tensor {
        let bytes = self.iter_f64().flat_map(|x| {
            let [a, b, c, d] = (x as f32).to_le_bytes();
            [a, b, c, d, 0, 0, 0, 0]
        });
        Tensor::of_bytes(Spec::new(self.shape().clone(), DType::Complex64), bytes.collect())
    }

    /// The real parts, which is what a conversion to real numbers leaves.
    pub(super) fn real_parts(&self) -> Tensor {
        let bytes = self.bytes().chunks_exact(8).flat_map(|element| element[..4].iter().copied());
        Tensor::of_bytes(Spec::new(self.shape().clone(), DType::Float32), bytes.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_numbers_are_the_same_bytes() {
        let parts = Tensor::new([2, 2], &[1f32, 2.0, -3.0, 0.5]).unwrap();
        let numbers = Tensor::from_parts(&parts).unwrap();
        assert_eq!(numbers.spec(), &Spec::new([2], DType::Complex64));
        assert_eq!(numbers.in_parts(), parts);
        assert_eq!(numbers.cast(DType::Float32), Tensor::new([2], &[1f32, -3.0]).unwrap());
        let real = Tensor::new([1], &[7i32]).unwrap().cast(DType::Complex64);
        assert_eq!(real.in_parts(), Tensor::new([1, 2], &[7f32, 0.0]).unwrap());
        assert!(Tensor::from_parts(&Tensor::new([3], &[1f32, 2.0, 3.0]).unwrap()).is_err());
        assert!(numbers.to_array().is_err());
    }
}
