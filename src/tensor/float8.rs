//! The two formats of eight-bit floats that Keras names (Micikevicius et al. 2022).

use crate::base::DType;

/// How a format spends the seven bits behind the sign.
struct Format {
    mantissa: u32,
    bias: i32,
    /// The bits that are no number.
    nan: u8,
    /// The bits of infinity, where there is one.
    infinity: Option<u8>,
    /// Where rounding leaves the finite numbers, and whether the bound itself does.
    bound: f32,
    bound_leaves: bool,
}

const E4M3FN: Format =
    Format { mantissa: 3, bias: 7, nan: 0x7f, infinity: None, bound: 464.0, bound_leaves: false };
const E5M2: Format = Format {
    mantissa: 2,
    bias: 15,
    nan: 0x7e,
    infinity: Some(0x7c),
    bound: 61_440.0,
    bound_leaves: true,
};

/// The format of a dtype, if it is one of eight-bit floats.
fn format(dtype: DType) -> Option<&'static Format> {
    match dtype {
        DType::Float8E4M3FN => Some(&E4M3FN),
        DType::Float8E5M2 => Some(&E5M2),
        _ => None,
    }
}

/// `x` rounded to what a format of eight bits can represent, ties to even; other dtypes leave it.
/// Too large a number is infinity, or NaN where the format has none.
pub(super) fn round(dtype: DType, x: f32) -> f32 {
    let Some(format) = format(dtype) else { return x };
    let size = x.abs();
    if x.is_nan() || size > format.bound || size == format.bound && format.bound_leaves {
        let beyond = format.infinity.map_or(f32::NAN, |_| f32::INFINITY);
        return if x.is_nan() { x } else { beyond.copysign(x) };
    }
    let step = 2f32.powi(1 - format.bias - format.mantissa as i32);
    if size < 2f32.powi(1 - format.bias) {
        return ((size / step).round_ties_even() * step).copysign(x);
    }
    let dropped = 23 - format.mantissa;
    let bits = size.to_bits();
    let half = (1 << (dropped - 1)) - 1 + (bits >> dropped & 1);
    f32::from_bits((bits + half) >> dropped << dropped).copysign(x)
}

/// The byte that holds `x`, rounded; zero for dtypes of other sizes.
pub(super) fn to_bits(dtype: DType, x: f32) -> u8 {
    let Some(format) = format(dtype) else { return 0 };
    let rounded = round(dtype, x);
    let size = rounded.abs();
    let bits = match format.infinity {
        _ if size.is_nan() => format.nan,
        Some(infinity) if size.is_infinite() => infinity,
        _ if size < 2f32.powi(1 - format.bias) => {
            (size / 2f32.powi(1 - format.bias - format.mantissa as i32)) as u8
        }
        _ => {
            let offset = (127 - format.bias) as u32;
            let bits = size.to_bits() >> (23 - format.mantissa);
            (bits - (offset << format.mantissa)) as u8
        }
    };
    bits | u8::from(rounded.is_sign_negative()) << 7
}

/// The number in a byte.
pub(super) fn from_bits(dtype: DType, byte: u8) -> f32 {
    let Some(format) = format(dtype) else { return f32::NAN };
    let size = byte & 0x7f;
    let (exponent, fraction) = (size >> format.mantissa, size & ((1 << format.mantissa) - 1));
    let step = |exponent: i32| 2f32.powi(exponent - format.bias - format.mantissa as i32);
    let value = match format.infinity {
        Some(infinity) if size == infinity => f32::INFINITY,
        Some(infinity) if size > infinity => f32::NAN,
        None if size == format.nan => f32::NAN,
        _ if exponent == 0 => f32::from(fraction) * step(1),
        _ => f32::from(fraction + (1 << format.mantissa)) * step(i32::from(exponent)),
    };
    if byte >> 7 == 1 { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_its_number() {
        for dtype in [DType::Float8E4M3FN, DType::Float8E5M2] {
            for byte in 0..=u8::MAX {
                let x = from_bits(dtype, byte);
                assert!(x.is_nan() || to_bits(dtype, x) == byte, "{dtype} {byte:#x}: {x}");
                assert!(x.is_nan() || round(dtype, x) == x, "{dtype} {byte:#x}: {x}");
            }
        }
        assert_eq!(from_bits(DType::Float8E4M3FN, 0x7e), 448.0);
        assert_eq!(from_bits(DType::Float8E5M2, 0x7b), 57_344.0);
    }

    #[test]
    fn halves_go_to_even_and_large_numbers_leave_the_format() {
        let e4m3 = |x| round(DType::Float8E4M3FN, x);
        assert_eq!([1.0625, 1.1875, 464.0, -17.0].map(e4m3), [1.0, 1.25, 448.0, -16.0]);
        assert_eq!([0.000_976_562_5, 0.000_976_6].map(e4m3), [0.0, 0.001_953_125]);
        assert!(e4m3(464.1).is_nan() && e4m3(f32::INFINITY).is_nan());
        let e5m2 = |x| round(DType::Float8E5M2, x);
        assert_eq!(
            [1.125, 1.375, 61_439.0, -61_440.0].map(e5m2),
            [1.0, 1.5, 57_344.0, f32::NEG_INFINITY]
        );
    }
}
