//! HDF5 datatypes and the dtypes they hold.

use hdf5_pure::{AttrValue, Dataset, Datatype, DatatypeByteOrder, FloatingPointLayout};

use crate::base::DType;
use crate::base::error::quote;

/// What to do with stored bytes to get those of the dtype.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fix {
    Nothing,
    /// Turn the bytes of each element around: the file is big-endian.
    Swap,
    /// Make anything but zero a one.
    Truth,
}

impl Fix {
    /// Applies to whole elements of `width` bytes.
    pub(super) fn apply(self, width: usize, bytes: &mut [u8]) {
        match self {
            Fix::Nothing => {}
            Fix::Swap => bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse),
            Fix::Truth => bytes.iter_mut().for_each(|b| *b = u8::from(*b != 0)),
        }
    }
}

const BINARY16: FloatingPointLayout = float_layout(16, 5, 15);
const BFLOAT16: FloatingPointLayout = float_layout(16, 8, 127);

const fn float_layout(bits: u16, exponent: u8, bias: u32) -> FloatingPointLayout {
    let mantissa = bits as u8 - 1 - exponent;
    FloatingPointLayout {
        bit_offset: 0,
        bit_precision: bits,
        exponent_location: mantissa,
        exponent_size: exponent,
        mantissa_location: 0,
        mantissa_size: mantissa,
        exponent_bias: bias,
    }
}

/// The dtype of a dataset's elements.
///
/// # Errors
/// What was found instead, if it is none of Keras's.
pub(super) fn dtype_of(dataset: &Dataset) -> Result<(DType, Fix), String> {
    match stored(dataset)? {
        found @ (DType::BFloat16, _) => Ok(found),
        (dtype, _) if says_bfloat16(dataset) => Err(format!("{dtype} that is called bfloat16")),
        found => Ok(found),
    }
}

/// The dtype as HDF5 tells it.
fn stored(dataset: &Dataset) -> Result<(DType, Fix), String> {
    let datatype = dataset.datatype().map_err(|e| quote(&e.to_string()))?;
    match &datatype {
        Datatype::FloatingPoint { size, byte_order, layout } => {
            let dtype = match (*size, *layout) {
                (8, FloatingPointLayout::IEEE754_BINARY64) => Some(DType::Float64),
                (4, FloatingPointLayout::IEEE754_BINARY32) => Some(DType::Float32),
                (2, BINARY16) => Some(DType::Float16),
                (2, BFLOAT16) => Some(DType::BFloat16),
                _ => None,
            };
            in_order(dtype, byte_order).ok_or_else(|| format!("an unusual {size}-byte float"))
        }
        Datatype::FixedPoint { size, byte_order, layout } => {
            let whole = layout.bit_offset == 0 && u32::from(layout.bit_precision) == size * 8;
            let dtype = if whole { integer(*size, layout.signed) } else { None };
            in_order(dtype, byte_order).ok_or_else(|| format!("an unusual {size}-byte integer"))
        }
        Datatype::Enumeration { .. } if is_bool(&datatype) => Ok((DType::Bool, Fix::Truth)),
        Datatype::Opaque { size: 2, .. } if says_bfloat16(dataset) => {
            Ok((DType::BFloat16, Fix::Nothing))
        }
        other => Err(describe(other)),
    }
}

fn in_order(dtype: Option<DType>, order: &DatatypeByteOrder) -> Option<(DType, Fix)> {
    match order {
        DatatypeByteOrder::LittleEndian => Some((dtype?, Fix::Nothing)),
        DatatypeByteOrder::BigEndian => Some((dtype?, Fix::Swap)),
        _ => None,
    }
}

fn integer(size: u32, signed: bool) -> Option<DType> {
    Some(match (size, signed) {
        (8, true) => DType::Int64,
        (4, true) => DType::Int32,
        (2, true) => DType::Int16,
        (1, true) => DType::Int8,
        (8, false) => DType::UInt64,
        (4, false) => DType::UInt32,
        (2, false) => DType::UInt16,
        (1, false) => DType::UInt8,
        _ => return None,
    })
}

/// h5py's boolean: an enumeration over one byte.
fn is_bool(datatype: &Datatype) -> bool {
    let Datatype::Enumeration { size: 1, members, .. } = datatype else { return false };
    let named = |name: &str, value: u8| {
        members.iter().any(|m| m.name == name && m.value.as_slice() == [value])
    };
    members.len() == 2 && named("FALSE", 0) && named("TRUE", 1)
}

/// Keras writes bfloat16 as opaque bytes with an attribute.
fn says_bfloat16(dataset: &Dataset) -> bool {
    let attributes = dataset.attrs().unwrap_or_default();
    attributes.get("dtype").and_then(text).is_some_and(|dtype| dtype == "bfloat16")
}

/// The text of an attribute, however it is encoded.
pub(super) fn text(value: &AttrValue) -> Option<String> {
    value.as_str().map(str::to_string)
}

fn describe(datatype: &Datatype) -> String {
    let kind = match datatype {
        Datatype::Time { .. } => "times",
        Datatype::String { .. } => "fixed-length strings",
        Datatype::BitField { .. } => "bit fields",
        Datatype::Opaque { size, tag } => {
            return format!("opaque {size}-byte values '{}'", quote(&String::from_utf8_lossy(tag)));
        }
        Datatype::Compound { .. } => "compound values, such as complex numbers",
        Datatype::Reference { .. } => "references",
        Datatype::Enumeration { .. } => "an enumeration that is not bool",
        Datatype::VariableLength { is_string: true, .. } => "strings",
        Datatype::VariableLength { .. } => "variable-length sequences",
        Datatype::Array { .. } => "arrays as elements",
        _ => "elements of an unknown type",
    };
    kind.into()
}
