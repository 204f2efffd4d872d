//! `keras.ops.saturate_cast`: numbers outside of the range of the new dtype become its ends.

use crate::base::DType;
use crate::graph::Value;

/// The elements within the range that Keras takes the new dtype to have, in that dtype.
pub(super) fn cast(x: Value<'_>, dtype: DType) -> Value<'_> {
    match limits(x.dtype(), dtype) {
        Some((low, high)) => {
            // Truth values have no order.
            let wide = if x.dtype() == DType::Bool { x.cast(DType::Int32) } else { x };
            let low = wide.scalar_like(low);
            wide.maximum(low).minimum(wide.scalar_like(high)).cast(dtype)
        }
        None => x.saturating_cast(dtype),
    }
}

/// The least and the largest number that Keras keeps when it casts `from` one dtype `to` another;
/// nothing for dtypes of which NumPy does not tell.
///
/// The ends of both ranges meet in the floating-point dtype, if there is one, and are rounded there. An
/// end that rounding has put outside of the new range is moved to the next number inside; one that is too
/// large for whole numbers wraps around, so that int32 to float32 keeps the least number only.
fn limits(from: DType, to: DType) -> Option<(f64, f64)> {
    let ((from_low, from_high), (to_low, to_high)) = (range(from)?, range(to)?);
    let (low, high) = (from_low.max(to_low), from_high.min(to_high));
    let Some(digits) = digits(from) else {
        let in_float = |end: f64| digits(to).map_or(end, |digits| rounded(end, digits));
        return Some((wrapped(in_float(low), from), wrapped(in_float(high), from)));
    };
    let inside = |end: f64, limit: f64| {
        let near = rounded(end, digits);
        // What rounds beyond a range is a power of two.
        let next = near * (1.0 - 2f64.powi(-digits));
        if near.abs() > limit.abs() { next } else { near }
    };
    Some((inside(low, to_low), inside(high, to_high)))
}

fn range(dtype: DType) -> Option<(f64, f64)> {
    let bits = |dtype: DType| 8 * dtype.size() as i32;
    Some(match dtype {
        DType::Bool => (0.0, 1.0),
        DType::Float32 => (-f64::from(f32::MAX), f64::from(f32::MAX)),
        DType::Float16 => (-65504.0, 65504.0),
        DType::BFloat16 => {
            let largest = 2f64.powi(128) - 2f64.powi(120);
            (-largest, largest)
        }
        _ if dtype.is_signed_int() => {
            let end = 2f64.powi(bits(dtype) - 1);
            (-end, end - 1.0)
        }
        _ if dtype.is_unsigned_int() => (0.0, 2f64.powi(bits(dtype)) - 1.0),
        _ => return None,
    })
}

/// The binary digits of a floating-point dtype.
fn digits(dtype: DType) -> Option<i32> {
    match dtype {
        DType::Float32 => Some(24),
        DType::Float16 => Some(11),
        DType::BFloat16 => Some(8),
        _ => None,
    }
}

/// The nearest number of so many binary digits.
fn rounded(x: f64, digits: i32) -> f64 {
    if x == 0.0 {
        return x;
    }
    let unit = 2f64.powi(x.abs().log2().floor() as i32 + 1 - digits);
    (x / unit).round_ties_even() * unit
}

/// What a conversion to whole numbers makes of an end that lies one beyond their range.
fn wrapped(x: f64, dtype: DType) -> f64 {
    match range(dtype) {
        Some((low, high)) if x > high => x - (high - low + 1.0),
        _ => x,
    }
}
