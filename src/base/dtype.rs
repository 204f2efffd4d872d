//! Element types, under the names Keras gives them.

use std::fmt;

use crate::base::error::quote;
use crate::base::{Error, Result};

/// The element type of a tensor.
///
/// Three roles are kept apart. The *stored* type is this enum: what a file or a user's array holds.
/// The *lane* ([`DType::lane`]) is the 32-bit word in which a value is computed, on the host and on
/// every device. A value whose stored type is narrower than its lane is rounded to the stored type
/// after each operation, so results do not depend on how a device happens to keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DType {
    /// 64-bit IEEE float. It is computed as float32.
    Float64,
    /// 32-bit IEEE float.
    Float32,
    /// 16-bit IEEE float: 5 bits of exponent, 10 of fraction.
    Float16,
    /// The upper half of a float32: 8 bits of exponent, 7 of fraction.
    BFloat16,
    /// Eight bits: four of the exponent, no infinity. Only conversions work with it.
    Float8E4M3FN,
    /// Eight bits: five of the exponent. Only conversions work with it.
    Float8E5M2,
    /// 64-bit signed integer. It is computed as int32.
    Int64,
    /// 32-bit signed integer.
    Int32,
    /// 16-bit signed integer.
    Int16,
    /// 8-bit signed integer.
    Int8,
    /// 64-bit unsigned integer. It is computed as uint32.
    UInt64,
    /// 32-bit unsigned integer.
    UInt32,
    /// 16-bit unsigned integer.
    UInt16,
    /// 8-bit unsigned integer.
    UInt8,
    /// True or false, stored in one byte: 1 or 0.
    Bool,
    /// Two float32: a real and an imaginary part. Graphs compute with the parts.
    Complex64,
    /// Text. It is never computed with: layers of text turn it into numbers on the host.
    String,
}

/// The word in which values are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// 32-bit IEEE float: all floating types.
    F32,
    /// 32-bit signed integer: the signed types.
    I32,
    /// 32-bit unsigned integer: the unsigned types, and booleans as 0 or 1.
    U32,
}

impl DType {
    /// Every dtype of real numbers in which layers compute, widest first within its kind.
    pub const ALL: [DType; 13] = [
        DType::Float64,
        DType::Float32,
        DType::Float16,
        DType::BFloat16,
        DType::Int64,
        DType::Int32,
        DType::Int16,
        DType::Int8,
        DType::UInt64,
        DType::UInt32,
        DType::UInt16,
        DType::UInt8,
        DType::Bool,
    ];

    /// The floats of eight bits, which no layer computes in.
    pub const FLOAT8: [DType; 2] = [DType::Float8E4M3FN, DType::Float8E5M2];

    /// The name Keras writes, such as `"float32"`.
    pub fn name(self) -> &'static str {
        match self {
            DType::Float64 => "float64",
            DType::Float32 => "float32",
            DType::Float16 => "float16",
            DType::BFloat16 => "bfloat16",
            DType::Float8E4M3FN => "float8_e4m3fn",
            DType::Float8E5M2 => "float8_e5m2",
            DType::Int64 => "int64",
            DType::Int32 => "int32",
            DType::Int16 => "int16",
            DType::Int8 => "int8",
            DType::UInt64 => "uint64",
            DType::UInt32 => "uint32",
            DType::UInt16 => "uint16",
            DType::UInt8 => "uint8",
            DType::Bool => "bool",
            DType::Complex64 => "complex64",
            DType::String => "string",
        }
    }

    /// The dtype Keras calls `name`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for the dtypes that only Keras has.
    pub fn from_name(name: &str) -> Result<DType> {
        let all = DType::ALL.into_iter();
        let all = all.chain(DType::FLOAT8).chain([DType::Complex64, DType::String]);
        all.into_iter().find(|d| d.name() == name).ok_or_else(|| match name {
            "complex128" | "int4" | "uint4" => Error::Unsupported(format!("dtype {name}")),
            _ => Error::DType {
                context: "dtype name".into(),
                found: quote(name),
                expected: "one of float16, bfloat16, float32, float64, (u)int8 to (u)int64, bool"
                    .into(),
            },
        })
    }

    /// Size of one element in bytes, as stored; 0 for text, whose elements have no common size.
    pub fn size(self) -> usize {
        match self {
            DType::Float64 | DType::Int64 | DType::UInt64 | DType::Complex64 => 8,
            DType::Float32 | DType::Int32 | DType::UInt32 => 4,
            DType::Float16 | DType::BFloat16 | DType::Int16 | DType::UInt16 => 2,
            DType::Int8 | DType::UInt8 | DType::Bool => 1,
            DType::Float8E4M3FN | DType::Float8E5M2 => 1,
            DType::String => 0,
        }
    }

    /// Bytes of an element where it only lies on a device, in weights, inputs and outputs: as stored
    /// where several elements share a word, else a word of four. While it is computed, an element is
    /// a word, whatever its dtype.
    pub fn bytes_at_rest(self) -> usize {
        match self.size() {
            few @ 1..=2 => few,
            _ => 4,
        }
    }

    /// Whether several elements share a word where they only lie on a device.
    pub fn is_narrow(self) -> bool {
        self.bytes_at_rest() < 4
    }

    /// The word in which values of this type are computed.
    pub fn lane(self) -> Lane {
        if self.is_float() {
            Lane::F32
        } else if self.is_signed_int() {
            Lane::I32
        } else {
            Lane::U32
        }
    }

    /// Whether this is a floating type: float64 or a narrower one.
    pub fn is_float(self) -> bool {
        matches!(self, DType::Float64 | DType::Float32 | DType::Float16 | DType::BFloat16)
            || self.is_float8()
    }

    /// Whether this is a float of eight bits.
    pub fn is_float8(self) -> bool {
        DType::FLOAT8.contains(&self)
    }

    /// Whether this is one of int8 to int64.
    pub fn is_signed_int(self) -> bool {
        matches!(self, DType::Int64 | DType::Int32 | DType::Int16 | DType::Int8)
    }

    /// Whether this is one of uint8 to uint64; booleans are no integers.
    pub fn is_unsigned_int(self) -> bool {
        matches!(self, DType::UInt64 | DType::UInt32 | DType::UInt16 | DType::UInt8)
    }

    /// Whether this is an integer type, signed or unsigned; booleans are none.
    pub fn is_int(self) -> bool {
        self.is_signed_int() || self.is_unsigned_int()
    }
}

impl Lane {
    /// The WGSL name of the word.
    pub fn wgsl(self) -> &'static str {
        match self {
            Lane::F32 => "f32",
            Lane::I32 => "i32",
            Lane::U32 => "u32",
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
