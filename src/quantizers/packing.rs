//! Several numbers in every byte.
//!
//! | Keras's function | numbers in a byte |
//! | --- | --- |
//! | `unpack_int4` | two of four bits, the first in the low half |
//! | `unpack_ternary` | five of -1, 0 and 1, as digits 0 to 2 in base 3, the first the lowest |
//!
//! Bytes are picked, not repeated: so a number is computed where it is used, whatever the length.

use crate::base::DType;
use crate::graph::Value;

/// The `length` numbers along `axis` of which every two share a byte. Signed bytes hold numbers from
/// -8 to 7, unsigned ones from 0 to 15; the result has the dtype of the bytes.
pub fn unpack_int4(packed: Value<'_>, length: usize, axis: usize) -> Value<'_> {
    let place = packed.graph().iota([length], 0);
    let byte = place.binary("shr", place.like(1.0));
    let bytes = packed.gather(byte, axis).cast(DType::Int32);
    let shape = bytes.shape();
    let mut along = vec![1; shape.rank()];
    // What an earlier error leaves behind has no axes.
    if let Some(extent) = along.get_mut(axis) {
        *extent = length;
    }
    let shift = place.binary("and", place.like(1.0)) * place.like(4.0);
    let shift = shift.reshape(along).broadcast(shape);
    let half = bytes.binary("shr", shift).binary("and", bytes.like(15.0));
    let numbers = match packed.dtype() {
        DType::UInt8 => half,
        _ => half.binary("xor", half.like(8.0)) - half.like(8.0),
    };
    numbers.cast(packed.dtype())
}

/// The `length` numbers -1, 0 and 1 along `axis` of which every five share an unsigned byte, as int8.
pub fn unpack_ternary(packed: Value<'_>, length: usize, axis: usize) -> Value<'_> {
    let place = packed.graph().iota([length], 0);
    let byte = place.binary("floor_div", place.like(5.0));
    let bytes = packed.gather(byte, axis).cast(DType::Int32);
    let shape = bytes.shape();
    let mut along = vec![1; shape.rank()];
    along[axis] = length;
    let digit = place.binary("mod", place.like(5.0));
    let power = place.like(3.0).binary("pow", digit).reshape(along).broadcast(shape);
    let digits = bytes.binary("floor_div", power).binary("mod", bytes.like(3.0));
    (digits - digits.like(1.0)).cast(DType::Int8)
}
