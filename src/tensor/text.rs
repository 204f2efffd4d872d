//! Text in host memory.

use std::fmt;
use std::sync::Arc;

use crate::base::{DType, Error, Result, Shape, Spec};
use crate::tensor::Tensor;

/// Text where numbers are expected.
pub(super) fn unexpected(context: &str) -> Error {
    Error::DType {
        context: context.into(),
        found: DType::String.name().into(),
        expected: "numbers: text is turned into numbers by layers such as TextVectorization".into(),
    }
}

impl Tensor {
    /// A tensor of text.
    ///
    /// # Errors
    /// If there are more or fewer strings than the shape has elements.
    pub fn from_strings<S: AsRef<str>>(shape: impl Into<Shape>, strings: &[S]) -> Result<Tensor> {
        let shape = shape.into();
        if shape.checked_len()? != strings.len() {
            return Err(Error::shape(
                "tensor from strings",
                format!("{} strings", strings.len()),
                format!("{} for shape {shape}", shape.len()),
            ));
        }
        Ok(Tensor::of_strings(shape, strings.iter().map(|s| s.as_ref().to_owned()).collect()))
    }

    pub(super) fn of_strings(shape: Shape, strings: Vec<String>) -> Tensor {
        let spec = Spec::new(shape, DType::String);
        Tensor { spec, bytes: Arc::default(), strings: Arc::new(strings) }
    }

    /// The elements of a tensor of text, in order.
    ///
    /// # Errors
    /// If it holds numbers.
    pub fn strings(&self) -> Result<&[String]> {
        match self.dtype() {
            DType::String => Ok(&self.strings),
            other => Err(Error::DType {
                context: "reading a tensor's text".into(),
                found: other.name().into(),
                expected: DType::String.name().into(),
            }),
        }
    }

    /// Rows that are known to be there.
    pub(super) fn rows_of_strings(&self, start: usize, count: usize) -> Tensor {
        let row: usize = self.shape().iter().skip(1).product();
        let strings = self.strings[start * row..(start + count) * row].to_vec();
        Tensor::of_strings(self.shape().with(0, count), strings)
    }

    /// Integers and booleans in full, floats in the fewest digits that tell them apart.
    pub(super) fn to_text(&self) -> Tensor {
        let strings = match self.dtype() {
            DType::String => return self.clone(),
            DType::UInt64 => self.iter_i64().map(|x| (x as u64).to_string()).collect(),
            DType::Bool => self.iter_f64().map(|x| (x != 0.0).to_string()).collect(),
            dtype if dtype.is_int() => self.iter_i64().map(|x| x.to_string()).collect(),
            _ => self.iter_f64().map(|x| x.to_string()).collect(),
        };
        Tensor::of_strings(self.shape().clone(), strings)
    }

    pub(super) fn fmt_strings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.strings[..self.strings.len().min(8)];
        let more = if self.strings.len() > shown.len() { ", …" } else { "" };
        write!(f, "Tensor {} {shown:?}{more}", self.spec)
    }
}

/// One axis of text.
impl From<Vec<String>> for Tensor {
    fn from(strings: Vec<String>) -> Tensor {
        Tensor::of_strings([strings.len()].into(), strings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_and_joined_by_rows() {
        let x = Tensor::from_strings([3, 2], &["a", "b", "c", "d", "é", ""]).unwrap();
        let parts = [x.rows(0, 1).unwrap(), x.rows(1, 2).unwrap()];
        assert_eq!(parts[1].strings().unwrap(), ["c", "d", "é", ""]);
        assert_eq!(Tensor::concat_rows(&parts.iter().collect::<Vec<_>>()).unwrap(), x);
        assert!(Tensor::from_strings([2], &["a"]).is_err());
        assert_ne!(x, Tensor::zeros(x.spec().clone()));
    }

    #[test]
    fn text_is_not_computed_with() {
        let x = Tensor::from_strings([1], &["a"]).unwrap();
        assert!(x.to_array().is_err());
        assert!(Tensor::from_bytes(x.spec().clone(), Vec::new()).is_err());
        let numbers = Tensor::new([2], &[-1i64, 1 << 40]).unwrap().cast(DType::String);
        assert_eq!(numbers.strings().unwrap(), ["-1", "1099511627776"]);
    }
}
