//! Elements as they lie on a device when nothing computes with them: the bytes of a file where several
//! share a word, else a word each; see [`DType::bytes_at_rest`](crate::base::DType::bytes_at_rest).

use std::borrow::Cow;

use crate::base::{Error, Result, Spec};
use crate::tensor::{Array, Tensor};

impl Tensor {
    /// The elements at rest, in whole words of little-endian bytes.
    ///
    /// # Errors
    /// [`Error::DType`] for 64-bit integers that do not fit a word, and for text.
    pub fn to_rest(&self) -> Result<Cow<'_, [u8]>> {
        match self.dtype().size() {
            1 | 2 | 4 if self.bytes().len().is_multiple_of(4) => Ok(Cow::Borrowed(self.bytes())),
            1 | 2 => {
                let mut bytes = self.bytes().to_vec();
                bytes.resize(self.spec().bytes_at_rest(), 0);
                Ok(Cow::Owned(bytes))
            }
            _ => Ok(Cow::Owned(self.to_array()?.word_bytes().to_vec())),
        }
    }

    /// The tensor of elements at rest; what lies behind the last one is left out.
    ///
    /// # Errors
    /// [`Error::Internal`] if there are fewer bytes than the elements take.
    pub fn from_rest(spec: Spec, mut bytes: Vec<u8>) -> Result<Tensor> {
        if bytes.len() < spec.bytes_at_rest() {
            let (found, needed) = (bytes.len(), spec.bytes_at_rest());
            return Err(Error::Internal(format!("{found} of {needed} bytes of {spec}")));
        }
        if spec.dtype.size() <= 4 {
            bytes.truncate(spec.bytes());
            return Tensor::from_bytes(spec, bytes);
        }
        bytes.truncate(spec.bytes_at_rest());
        Ok(Array::from_word_bytes(spec, &bytes).to_tensor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::DType;

    #[test]
    fn every_dtype_comes_back_from_rest() {
        let numbers = Tensor::new([7], &[0.0f32, 1.0, 2.5, 100.0, 3.0, 0.0, 9.0]).unwrap();
        for dtype in DType::ALL.into_iter().chain(DType::FLOAT8) {
            let stored = numbers.cast(dtype);
            let rest = stored.to_rest().unwrap().into_owned();
            assert_eq!(rest.len(), stored.spec().bytes_at_rest(), "{dtype}");
            let back = Tensor::from_rest(stored.spec().clone(), rest).unwrap();
            assert_eq!(back.bytes(), stored.bytes(), "{dtype}");
        }
        assert!(Tensor::from_rest(numbers.spec().clone(), vec![0; 24]).is_err());
    }
}
