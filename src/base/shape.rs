//! Shapes of tensors: row-major, known extents.

use std::fmt;
use std::ops::Deref;

use crate::base::{Error, Result};

/// Extents of a tensor, outermost first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Shape(Vec<usize>);

/// The largest number of elements in one tensor: indices on a device are 32-bit.
pub const MAX_ELEMENTS: usize = i32::MAX as usize;

/// What the first byte of a value in a larger buffer is a multiple of: every device can bind it there.
pub const BINDING_ALIGNMENT: usize = 256;

impl Shape {
    /// A shape of these extents, outermost first. They are not checked: see [`Shape::checked_len`].
    pub fn new(extents: impl Into<Vec<usize>>) -> Shape {
        Shape(extents.into())
    }

    /// The shape of one value.
    pub fn scalar() -> Shape {
        Shape(Vec::new())
    }

    /// Number of axes; 0 for a scalar.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// Number of elements. Shapes are checked where they enter ([`Shape::checked_len`]), so this
    /// cannot overflow for a shape that belongs to a tensor; it saturates for one that does not.
    pub fn len(&self) -> usize {
        self.0.iter().fold(1usize, |n, &d| n.saturating_mul(d))
    }

    /// Whether a tensor of this shape has no elements: one extent is 0.
    pub fn is_empty(&self) -> bool {
        self.0.contains(&0)
    }

    /// Number of elements, refused above [`MAX_ELEMENTS`].
    ///
    /// # Errors
    /// [`Error::Limit`] if there are more.
    pub fn checked_len(&self) -> Result<usize> {
        let mut n = 1usize;
        for &d in self.0.iter().filter(|&&d| d != 0) {
            n = n.checked_mul(d).filter(|&n| n <= MAX_ELEMENTS).ok_or_else(|| Error::Limit {
                what: format!("a tensor of shape {self}"),
                need: "more elements".into(),
                limit: format!("{MAX_ELEMENTS} elements"),
                owner: "32-bit indices on devices".into(),
            })?;
        }
        Ok(if self.is_empty() { 0 } else { n })
    }

    /// Row-major strides in elements.
    pub fn strides(&self) -> Vec<usize> {
        let mut strides = vec![1usize; self.0.len()];
        for i in (1..self.0.len()).rev() {
            strides[i - 1] = strides[i].saturating_mul(self.0[i]);
        }
        strides
    }

    /// The shape that NumPy's broadcasting rules give two operands.
    ///
    /// # Errors
    /// [`Error::Shape`] if two extents differ and neither is 1.
    pub fn broadcast(&self, other: &Shape) -> Result<Shape> {
        let rank = self.rank().max(other.rank());
        let at = |s: &Shape, i: usize| (i + s.rank()).checked_sub(rank).map_or(1, |k| s[k]);
        (0..rank)
            .map(|i| match (at(self, i), at(other, i)) {
                (a, b) if a == b => Ok(a),
                (1, b) => Ok(b),
                (a, 1) => Ok(a),
                _ => Err(Error::shape(
                    "broadcast",
                    format!("shapes {self} and {other}"),
                    "extents that are equal or 1, counted from the last axis",
                )),
            })
            .collect::<Result<Vec<_>>>()
            .map(Shape)
    }

    /// `axis` counted from the front; negative axes count from the back.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such axis.
    pub fn axis(&self, axis: i64) -> Result<usize> {
        normalize_axis(axis, self.rank())
    }

    /// This shape with one extent replaced.
    pub fn with(&self, axis: usize, extent: usize) -> Shape {
        let mut extents = self.0.clone();
        extents[axis] = extent;
        Shape(extents)
    }

    /// The extents, outermost first.
    pub fn as_slice(&self) -> &[usize] {
        &self.0
    }
}

/// `axis` of a tensor of this rank, counted from the front.
///
/// # Errors
/// [`Error::Shape`] if there is no such axis.
pub fn normalize_axis(axis: i64, rank: usize) -> Result<usize> {
    let n = i64::try_from(rank).unwrap_or(i64::MAX);
    if (-n..n).contains(&axis) {
        Ok(usize::try_from(if axis < 0 { axis + n } else { axis }).unwrap_or(0))
    } else {
        Err(Error::shape("axis", format!("{axis}"), format!("{} to {}", -n, n - 1)))
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(extents: [usize; N]) -> Shape {
        Shape(extents.to_vec())
    }
}

impl From<Vec<usize>> for Shape {
    fn from(extents: Vec<usize>) -> Shape {
        Shape(extents)
    }
}

impl From<&[usize]> for Shape {
    fn from(extents: &[usize]) -> Shape {
        Shape(extents.to_vec())
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(extents: I) -> Shape {
        Shape(extents.into_iter().collect())
    }
}

impl fmt::Display for Shape {
    /// As Keras prints shapes: `(2, 3)`, `(5,)`, `()`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (i, d) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{d}")?;
        }
        f.write_str(if self.0.len() == 1 { ",)" } else { ")" })
    }
}
