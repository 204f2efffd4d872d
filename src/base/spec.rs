//! What is known of a tensor before it exists: shape and dtype.

use std::fmt;

use crate::base::{DType, Error, Result, Shape};

/// Shape and element type of a tensor whose extents are known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spec {
    /// Extents, outermost first.
    pub shape: Shape,
    /// Element type, as stored.
    pub dtype: DType,
}

impl Spec {
    /// The spec of a tensor of this shape and dtype.
    pub fn new(shape: impl Into<Shape>, dtype: DType) -> Spec {
        Spec { shape: shape.into(), dtype }
    }

    /// Number of bytes as stored.
    pub fn bytes(&self) -> usize {
        self.shape.len().saturating_mul(self.dtype.size())
    }

    /// Number of bytes where the tensor only lies on a device: whole words; see
    /// [`DType::bytes_at_rest`].
    pub fn bytes_at_rest(&self) -> usize {
        let bytes = self.shape.len().saturating_mul(self.dtype.bytes_at_rest());
        bytes.checked_next_multiple_of(4).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.shape, self.dtype)
    }
}

/// One extent of a symbolic shape; Keras writes an unknown one as `null` and prints `None`.
pub type Dim = Option<usize>;

/// A shape in which extents may be unknown, as models declare their inputs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct SymbolicShape(pub Vec<Dim>);

impl SymbolicShape {
    /// Number of axes, the batch's among them.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The concrete shape with every unknown extent replaced by `fill`.
    pub fn filled(&self, fill: usize) -> Shape {
        self.0.iter().map(|d| d.unwrap_or(fill)).collect()
    }

    /// Whether a concrete shape agrees with every known extent.
    pub fn accepts(&self, shape: &Shape) -> bool {
        self.rank() == shape.rank()
            && self.0.iter().zip(shape.iter()).all(|(d, n)| d.is_none_or(|d| d == *n))
    }

    /// Whether one concrete shape could agree with both.
    pub fn is_compatible_with(&self, other: &SymbolicShape) -> bool {
        let agree = |(a, b): (&Dim, &Dim)| a.is_none() || b.is_none() || a == b;
        self.rank() == other.rank() && self.0.iter().zip(&other.0).all(agree)
    }

    /// The extents that two traces with different fillings agree on; the others are unknown.
    ///
    /// # Errors
    /// [`Error::Shape`] if the ranks differ.
    pub fn merge(a: &Shape, b: &Shape) -> Result<SymbolicShape> {
        if a.rank() != b.rank() {
            return Err(Error::shape(
                "output shape",
                format!("rank {} or {}", a.rank(), b.rank()),
                "a rank that does not depend on unknown extents",
            ));
        }
        Ok(SymbolicShape(a.iter().zip(b.iter()).map(|(x, y)| (x == y).then_some(*x)).collect()))
    }
}

impl From<&Shape> for SymbolicShape {
    fn from(shape: &Shape) -> SymbolicShape {
        SymbolicShape(shape.iter().map(|&d| Some(d)).collect())
    }
}

impl<const N: usize> From<[Dim; N]> for SymbolicShape {
    fn from(dims: [Dim; N]) -> SymbolicShape {
        SymbolicShape(dims.to_vec())
    }
}

impl fmt::Display for SymbolicShape {
    /// As Keras prints it: `(None, 32)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (i, d) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            match d {
                Some(d) => write!(f, "{d}")?,
                None => f.write_str("None")?,
            }
        }
        f.write_str(if self.0.len() == 1 { ",)" } else { ")" })
    }
}
