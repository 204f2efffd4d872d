//! The dtype of a result from the dtypes of its operands: the lattice of Keras, which is JAX's.

use crate::base::DType;
use crate::graph::Value;

use DType::*;
use Kind::{Strong, WeakFloat, WeakInt};

/// A dtype, or a number of the config whose dtype gives way to that of tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Strong(DType),
    WeakInt,
    WeakFloat,
}

/// Every kind with the kinds next above it.
const LATTICE: &[(Kind, &[Kind])] = &[
    (Strong(Bool), &[WeakInt]),
    (Strong(UInt8), &[Strong(Int16), Strong(UInt16)]),
    (Strong(UInt16), &[Strong(Int32), Strong(UInt32)]),
    (Strong(UInt32), &[Strong(Int64), Strong(UInt64)]),
    (Strong(UInt64), &[WeakFloat]),
    (WeakInt, &[Strong(UInt8), Strong(Int8)]),
    (Strong(Int8), &[Strong(Int16)]),
    (Strong(Int16), &[Strong(Int32)]),
    (Strong(Int32), &[Strong(Int64)]),
    (Strong(Int64), &[WeakFloat]),
    (WeakFloat, &[Strong(BFloat16), Strong(Float16)]),
    (Strong(BFloat16), &[Strong(Float32)]),
    (Strong(Float16), &[Strong(Float32)]),
    (Strong(Float32), &[Strong(Float64), Strong(Complex64)]),
    (Strong(Float64), &[]),
    (Strong(Complex64), &[]),
];

fn at_most(low: Kind, high: Kind) -> bool {
    low == high
        || LATTICE
            .iter()
            .find(|(kind, _)| *kind == low)
            .is_some_and(|(_, above)| above.iter().any(|&next| at_most(next, high)))
}

/// The least dtype that holds all operands. A 64-bit result needs a 64-bit operand; a weak one is
/// 32 bits wide.
pub fn result_type(kinds: &[Kind]) -> DType {
    let bounds =
        || LATTICE.iter().map(|(k, _)| *k).filter(|&k| kinds.iter().all(|&x| at_most(x, k)));
    let least = bounds().find(|&k| bounds().all(|other| at_most(k, other)));
    let wide = |d: DType| d.size() == 8;
    let had_wide = kinds.iter().any(|k| matches!(k, Strong(d) if wide(*d)));
    match least {
        Some(Strong(Int64)) if !had_wide => Int32,
        Some(Strong(UInt64)) if !had_wide => UInt32,
        Some(Strong(dtype)) => dtype,
        Some(WeakInt) => Int32,
        Some(WeakFloat) | None => Float32,
    }
}

/// Values in the dtype that holds them all.
pub fn promoted<'g, const N: usize>(values: [Value<'g>; N]) -> [Value<'g>; N] {
    let dtype = common_dtype(&values);
    values.map(|value| value.cast(dtype))
}

/// The dtype that holds all values.
pub fn common_dtype(values: &[Value<'_>]) -> DType {
    let kinds: Vec<Kind> = values.iter().map(|value| Strong(value.dtype())).collect();
    result_type(&kinds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_cases_follow_keras() {
        for (a, b, expected) in [
            (Strong(Float16), WeakFloat, Float16),
            (Strong(Float16), WeakInt, Float16),
            (Strong(Int32), WeakFloat, Float32),
            (Strong(Int8), WeakInt, Int8),
            (Strong(Bool), WeakInt, Int32),
            (Strong(Bool), Strong(Float16), Float16),
            (Strong(Float16), Strong(BFloat16), Float32),
            (Strong(Int32), Strong(Float16), Float16),
            (Strong(UInt8), Strong(Int8), Int16),
            (Strong(UInt32), Strong(Int32), Int32),
            (Strong(Int64), Strong(Int32), Int64),
            (Strong(UInt8), WeakFloat, Float32),
            (Strong(Float32), Strong(Float64), Float64),
        ] {
            assert_eq!(result_type(&[a, b]), expected, "{a:?} and {b:?}");
            assert_eq!(result_type(&[b, a]), expected, "{b:?} and {a:?}");
        }
    }
}
