//! How two tensors differ.

use std::fmt;

use crate::base::error::quote;
use crate::base::{DType, Shape};
use crate::tensor::Tensor;

/// How far two numbers may be apart: `absolute + relative * |expected|`.
#[derive(Clone, Copy)]
pub struct Tolerance {
    pub relative: f64,
    pub absolute: f64,
}

/// The difference of a tensor from what is expected.
pub enum Difference {
    /// The shapes differ; this one is expected.
    Shape(Shape),
    Elements(Elements),
    Text(Strings),
}

/// The difference of two tensors of text of one shape.
#[derive(Default)]
pub struct Strings {
    /// Strings that are not equal.
    beyond: usize,
    total: usize,
    /// Index and strings, found and expected, of the first of them.
    first: Option<(Vec<usize>, String, String)>,
}

/// The difference of tensors of one shape.
#[derive(Default)]
pub struct Elements {
    /// Elements beyond the tolerance.
    beyond: usize,
    total: usize,
    /// Index and values, found and expected, of the first of them.
    first: Option<(Vec<usize>, f64, f64)>,
    largest: f64,
    /// The largest difference as a part of the expected value, where that is not zero.
    largest_relative: f64,
}

impl Tolerance {
    fn allows(self, found: f64, expected: f64) -> bool {
        found == expected
            || (found.is_nan() && expected.is_nan())
            || (found - expected).abs() <= self.absolute + self.relative * expected.abs()
                && expected.is_finite()
    }
}

impl Difference {
    /// Compares element by element. Integers, booleans and text must be equal.
    pub fn of(found: &Tensor, expected: &Tensor, tolerance: Tolerance) -> Difference {
        if found.shape() != expected.shape() {
            return Difference::Shape(expected.shape().clone());
        }
        if let (Ok(found_strings), Ok(expected)) = (found.strings(), expected.strings()) {
            return Difference::Text(Strings::of(found_strings, expected, found.shape()));
        }
        if found.dtype() == DType::Complex64 || expected.dtype() == DType::Complex64 {
            let parts = [found, expected].map(|tensor| tensor.cast(DType::Complex64).in_parts());
            return Difference::of(&parts[0], &parts[1], tolerance);
        }
        let exact = Tolerance { relative: 0.0, absolute: 0.0 };
        let tolerance = if expected.dtype().is_float() { tolerance } else { exact };
        let mut elements = Elements { total: found.len(), ..Elements::default() };
        for (i, (f, e)) in found.iter_f64().zip(expected.iter_f64()).enumerate() {
            elements.add(f, e, tolerance, || index(found.shape(), i));
        }
        Difference::Elements(elements)
    }

    /// Whether all elements are within the tolerance.
    pub fn is_none_beyond(&self) -> bool {
        match self {
            Difference::Shape(_) => false,
            Difference::Elements(elements) => elements.beyond == 0,
            Difference::Text(strings) => strings.beyond == 0,
        }
    }

    /// The largest difference of two elements, and the largest as a part of the expected value;
    /// infinities where shapes or strings differ.
    pub fn largest(&self) -> (f64, f64) {
        match self {
            Difference::Elements(elements) => (elements.largest, elements.largest_relative),
            Difference::Text(strings) if strings.beyond == 0 => (0.0, 0.0),
            Difference::Shape(_) | Difference::Text(_) => (f64::INFINITY, f64::INFINITY),
        }
    }
}

impl Elements {
    fn add(
        &mut self,
        found: f64,
        expected: f64,
        tolerance: Tolerance,
        index: impl FnOnce() -> Vec<usize>,
    ) {
        let difference = (found - expected).abs();
        // NaN beside NaN and infinity beside infinity are no difference; `max` passes over the NaN.
        self.largest = self.largest.max(difference);
        if expected != 0.0 {
            self.largest_relative = self.largest_relative.max(difference / expected.abs());
        }
        if !tolerance.allows(found, expected) {
            self.beyond += 1;
            self.first.get_or_insert_with(|| (index(), found, expected));
        }
    }
}

impl Strings {
    fn of(found: &[String], expected: &[String], shape: &Shape) -> Strings {
        let mut strings = Strings { total: found.len(), ..Strings::default() };
        let pairs = found.iter().zip(expected).enumerate();
        for (i, (found, expected)) in pairs.filter(|(_, (found, expected))| found != expected) {
            strings.beyond += 1;
            let first = || (index(shape, i), found.clone(), expected.clone());
            strings.first.get_or_insert_with(first);
        }
        strings
    }
}

impl fmt::Display for Strings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((index, found, expected)) = &self.first else {
            return write!(f, "{} equal strings", self.total);
        };
        let (beyond, total, found, expected) =
            (self.beyond, self.total, quote(found), quote(expected));
        write!(f, "{beyond} of {total} strings, ")?;
        write!(f, "the first at {index:?} is '{found}', expected '{expected}'")
    }
}

/// The index of the element at a position in row-major order.
fn index(shape: &Shape, position: usize) -> Vec<usize> {
    let strides = shape.strides();
    strides.iter().zip(shape.iter()).map(|(stride, extent)| position / stride % extent).collect()
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let elements = match self {
            Difference::Shape(expected) => return write!(f, "expected shape {expected}"),
            Difference::Elements(elements) => elements,
            Difference::Text(strings) => return strings.fmt(f),
        };
        if let Some((index, found, expected)) = &elements.first {
            let (beyond, total) = (elements.beyond, elements.total);
            write!(f, "{beyond} of {total} elements, ")?;
            write!(f, "the first at {index:?} is {found}, expected {expected}, ")?;
        }
        let (largest, relative) = (elements.largest, elements.largest_relative);
        write!(f, "largest difference {largest:.2e}, relative {relative:.2e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(found: &[f32], expected: &[f32]) -> Difference {
        let tensor = |x: &[f32]| Tensor::new([1, x.len()], x).unwrap();
        let tolerance = Tolerance { relative: 0.01, absolute: 0.1 };
        Difference::of(&tensor(found), &tensor(expected), tolerance)
    }

    #[test]
    fn the_first_element_beyond_the_tolerance_is_named() {
        let found = difference(&[100.5, 3.0, 9.0], &[100.0, 2.0, 8.0]);
        assert!(!found.is_none_beyond());
        let expected = "2 of 3 elements, the first at [0, 1] is 3, expected 2, \
                        largest difference 1.00e0, relative 5.00e-1";
        assert_eq!(found.to_string(), expected);
    }

    #[test]
    fn what_is_not_finite_must_be_equal() {
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        assert!(difference(&[nan, inf, -inf], &[nan, inf, -inf]).is_none_beyond());
        for (found, expected) in [(nan, 0.0), (0.0, nan), (inf, 0.0), (0.0, inf), (inf, -inf)] {
            assert!(!difference(&[found], &[expected]).is_none_beyond(), "{found} {expected}");
        }
    }

    #[test]
    fn text_must_be_equal() {
        let text = |x: &[&str]| Tensor::from_strings([1, x.len()], x).unwrap();
        let tolerance = Tolerance { relative: 1.0, absolute: 1.0 };
        let of = |found: &[&str]| Difference::of(&text(found), &text(&["a", "b"]), tolerance);
        assert!(of(&["a", "b"]).is_none_beyond());
        let message = of(&["a", "c"]).to_string();
        assert_eq!(message, "1 of 2 strings, the first at [0, 1] is 'c', expected 'b'");
    }

    #[test]
    fn shapes_must_be_equal() {
        assert!(!difference(&[1.0], &[1.0, 2.0]).is_none_beyond());
    }
}
