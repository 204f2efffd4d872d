//! Values in host memory.
//!
//! [`Tensor`] holds elements as stored (two bytes for a float16); it is what users pass and get, and
//! what files hold. [`Array`] holds the same elements in their 32-bit lane, ready to compute with.
//! [`Variable`] is a model's weight, wherever its bytes are.

mod array;
mod at_rest;
mod complex;
pub mod convert;
mod float8;
mod text;
mod variable;

use std::sync::Arc;

pub use array::{Array, Words};
pub use variable::{Resident, Variable, VariableId};

use crate::base::stream::PIECE;
use crate::base::{DType, Error, Result, Shape, Source, Spec};

/// Elements in host memory, row-major, little-endian, in their stored dtype. Cloning is cheap.
///
/// The elements of a tensor of [`DType::String`] are strings, which it holds apart: it has no bytes.
#[derive(Clone, PartialEq)]
pub struct Tensor {
    spec: Spec,
    bytes: Arc<Vec<u8>>,
    /// As many as there are elements where the dtype is that of text, else none.
    strings: Arc<Vec<String>>,
}

/// A Rust type that is the stored form of a dtype.
pub trait Element: bytemuck::Pod {
    /// The dtype whose elements are stored as this type.
    const DTYPE: DType;
}

macro_rules! elements {
    ($($t:ty => $d:ident),*) => { $(impl Element for $t { const DTYPE: DType = DType::$d; })* };
}
elements!(f64 => Float64, f32 => Float32, half::f16 => Float16, half::bf16 => BFloat16,
    i64 => Int64, i32 => Int32, i16 => Int16, i8 => Int8,
    u64 => UInt64, u32 => UInt32, u16 => UInt16, u8 => UInt8);

impl Tensor {
    /// A tensor over bytes in the stored dtype; text has none.
    ///
    /// # Errors
    /// If there are more or fewer bytes than the spec says, or for text.
    pub fn from_bytes(spec: Spec, bytes: Vec<u8>) -> Result<Tensor> {
        if spec.dtype == DType::String {
            return Err(text::unexpected("tensor from bytes"));
        }
        if bytes.len() != spec.bytes() {
            return Err(Error::shape(
                "tensor from bytes",
                format!("{} bytes", bytes.len()),
                format!("{} bytes for {spec}", spec.bytes()),
            ));
        }
        Ok(Tensor::of_bytes(spec, bytes))
    }

    fn of_bytes(spec: Spec, bytes: Vec<u8>) -> Tensor {
        Tensor { spec, bytes: Arc::new(bytes), strings: Arc::default() }
    }

    /// A tensor of the dtype that `T` is the stored form of.
    ///
    /// # Errors
    /// If there are more or fewer elements than the shape says.
    pub fn new<T: Element>(shape: impl Into<Shape>, elements: &[T]) -> Result<Tensor> {
        let bytes = bytemuck::cast_slice(elements).to_vec();
        Tensor::from_bytes(Spec::new(shape, T::DTYPE), bytes)
    }

    /// A boolean tensor.
    ///
    /// # Errors
    /// If there are more or fewer elements than the shape says.
    pub fn from_bools(shape: impl Into<Shape>, elements: &[bool]) -> Result<Tensor> {
        let bytes = elements.iter().map(|&b| u8::from(b)).collect();
        Tensor::from_bytes(Spec::new(shape, DType::Bool), bytes)
    }

    /// One float32.
    pub fn scalar(value: f32) -> Tensor {
        let spec = Spec::new([], DType::Float32);
        Tensor::of_bytes(spec, value.to_le_bytes().to_vec())
    }

    /// Zeros (false for booleans, empty strings for text).
    pub fn zeros(spec: Spec) -> Tensor {
        if spec.dtype == DType::String {
            let strings = vec![String::new(); spec.shape.len()];
            return Tensor::of_strings(spec.shape, strings);
        }
        let bytes = vec![0; spec.bytes()];
        Tensor::of_bytes(spec, bytes)
    }

    /// All bytes of a source, read into host memory.
    ///
    /// # Errors
    /// Those of the source.
    pub fn from_source(source: &dyn Source) -> Result<Tensor> {
        let tensor = Tensor::read_from(source)?;
        source.check()?;
        Ok(tensor)
    }

    /// All bytes of a source, read into host memory. Whether they can be believed is what
    /// [`Source::check`] then says.
    ///
    /// # Errors
    /// Those of the source.
    pub fn read_from(source: &dyn Source) -> Result<Tensor> {
        let mut bytes = vec![0; source.spec().bytes()];
        let pieces = bytes.chunks_mut(PIECE).enumerate();
        pieces.into_iter().try_for_each(|(i, piece)| source.read(i * PIECE, piece))?;
        Tensor::from_bytes(source.spec().clone(), bytes)
    }

    /// Shape and dtype.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Extents, outermost first.
    pub fn shape(&self) -> &Shape {
        &self.spec.shape
    }

    /// Element type, as stored.
    pub fn dtype(&self) -> DType {
        self.spec.dtype
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.spec.shape.len()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.spec.shape.is_empty()
    }

    /// The elements as stored.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The elements, when `T` is the stored form of the tensor's dtype.
    ///
    /// # Errors
    /// [`Error::DType`] when it is not.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        if T::DTYPE != self.dtype() {
            return Err(Error::DType {
                context: "reading a tensor's elements".into(),
                found: self.dtype().name().into(),
                expected: T::DTYPE.name().into(),
            });
        }
        Ok(bytemuck::pod_collect_to_vec(&self.bytes))
    }

    /// The same elements under another shape of the same length.
    ///
    /// # Errors
    /// [`Error::Shape`] if the lengths differ.
    pub fn reshape(&self, shape: impl Into<Shape>) -> Result<Tensor> {
        let shape = shape.into();
        if shape.len() != self.len() {
            return Err(Error::shape(
                "reshape",
                format!("{} to {shape}", self.shape()),
                format!("{} elements", self.len()),
            ));
        }
        Ok(Tensor { spec: Spec::new(shape, self.dtype()), ..self.clone() })
    }

    /// Rows `start..start + count` along the first axis.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not so many, or the tensor is a scalar.
    pub fn rows(&self, start: usize, count: usize) -> Result<Tensor> {
        let total = *self.shape().first().ok_or_else(|| {
            Error::shape("rows of a tensor", self.shape().to_string(), "at least one axis")
        })?;
        let stop = start.checked_add(count).filter(|&stop| stop <= total).ok_or_else(|| {
            Error::shape(
                "rows of a tensor",
                format!("{start} + {count}"),
                format!("at most {total}"),
            )
        })?;
        if self.dtype() == DType::String {
            return Ok(self.rows_of_strings(start, count));
        }
        let row = self.bytes.len() / total.max(1);
        let bytes = self.bytes[start * row..stop * row].to_vec();
        Tensor::from_bytes(Spec::new(self.shape().with(0, count), self.dtype()), bytes)
    }
}

impl Tensor {
    /// Tensors joined along their first axis.
    ///
    /// # Errors
    /// If there is none, one is a scalar, or their dtypes or further extents differ.
    pub fn concat_rows(parts: &[&Tensor]) -> Result<Tensor> {
        let first = parts.first().ok_or_else(|| Error::Invalid("no tensors to join".into()))?;
        let misfit = |t: &&&Tensor| {
            t.dtype() != first.dtype() || t.shape().get(1..) != first.shape().get(1..)
        };
        if let Some(other) = parts.iter().find(misfit) {
            let found = format!("{} and {}", first.spec(), other.spec());
            return Err(Error::shape("joining rows", found, "equal shapes behind the first axis"));
        }
        if first.shape().rank() == 0 {
            return Err(Error::shape("joining rows", "scalars", "at least one axis"));
        }
        let rows = parts.iter().map(|t| t.shape()[0]).sum();
        if first.dtype() == DType::String {
            let strings = parts.iter().flat_map(|t| t.strings.iter().cloned()).collect();
            return Ok(Tensor::of_strings(first.shape().with(0, rows), strings));
        }
        let mut bytes = Vec::with_capacity(parts.iter().map(|t| t.bytes.len()).sum());
        parts.iter().for_each(|t| bytes.extend_from_slice(&t.bytes));
        Tensor::from_bytes(Spec::new(first.shape().with(0, rows), first.dtype()), bytes)
    }
}

impl Source for Tensor {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn read(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
        let piece = self.bytes.get(offset..offset.saturating_add(buf.len())).ok_or_else(|| {
            Error::Internal(format!("read of {} bytes at {offset} of {}", buf.len(), self.spec))
        })?;
        buf.copy_from_slice(piece);
        Ok(())
    }
}

impl std::fmt::Debug for Tensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.dtype() == DType::String {
            return self.fmt_strings(f);
        }
        if self.dtype() == DType::Complex64 {
            return write!(f, "complex {:?}", self.in_parts());
        }
        let shown: Vec<f64> = self.iter_f64().take(8).collect();
        let more = if self.len() > 8 { ", …" } else { "" };
        write!(f, "Tensor {} {shown:?}{more}", self.spec)
    }
}
