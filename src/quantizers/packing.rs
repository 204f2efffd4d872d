//! `keras.quantizers.unpack_int4`: two numbers of four bits in every byte, the first in the low half.

use crate::base::DType;
use crate::graph::Value;

/// The `length` numbers along `axis` of which every two share a byte. Signed bytes hold numbers from
/// -8 to 7, unsigned ones from 0 to 15; the result has the dtype of the bytes.
///
/// Bytes are picked, not repeated: so it is computed where a number is used, whatever the length.
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
