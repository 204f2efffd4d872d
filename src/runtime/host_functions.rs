//! Functions in single precision without branches, so that loops over them become vector code.
//!
//! Only additions, multiplications, divisions and bits: the results are the same on every processor.
//! The largest errors, over all floats or a dense grid of them, are asserted by the tests below.

use std::f32::consts::LOG2_E;

/// Adding this to a small float leaves its nearest integer in the low bits.
const TO_INTEGER: f32 = 12_582_912.0;

/// ln 2, in a part with few bits and the rest.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// `Σ c[i] · xⁿ⁻¹⁻ⁱ`.
#[inline(always)]
fn polynomial<const N: usize>(x: f32, c: [f32; N]) -> f32 {
    c.into_iter().fold(0.0, |sum, c| sum * x + c)
}

/// `2ⁿ` for `n` from -126 to 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits(((n.wrapping_add(127)) as u32) << 23)
}

/// `eˣ`.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Comparisons that are false for NaN, which then stays.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    let shifted = x * LOG2_E + TO_INTEGER;
    let whole = shifted - TO_INTEGER;
    let n = shifted.to_bits().wrapping_sub(TO_INTEGER.to_bits()) as i32;
    let rest = (x - whole * LN_2[0]) - whole * LN_2[1];
    let series = polynomial(
        rest,
        [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5],
    );
    let power = series * (rest * rest) + rest + 1.0;
    // In two steps, since the exponents of very small results have no float of their own.
    let half = n >> 1;
    power * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// `tanh(x)`.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let size = x.abs();
    let squared = x * x;
    let near = polynomial(
        squared,
        [-5.704_988_7e-3, 2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1],
    );
    let near = (near * squared * x + x).copysign(x);
    let far = (1.0 - 2.0 / (exp(size + size) + 1.0)).copysign(x);
    if size < 0.625 { near } else { far }
}

/// `1 / (1 + e⁻ˣ)`.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    // Of -|x|, so that nothing overflows.
    let e = exp(-x.abs());
    let part = if x >= 0.0 { 1.0 } else { e };
    part / (1.0 + e)
}

/// The error function: near 0 an odd polynomial, elsewhere `1 - e^p(|x|)`.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let size = x.abs();
    // From 4 on it is 1.
    let size = if size > 4.0 { 4.0 } else { size };
    let squared = size * size;
    let near = polynomial(
        squared,
        [
            -5.967_617e-4,
            4.991_194e-3,
            -2.676_813_5e-2,
            1.128_199_3e-1,
            -3.761_253_4e-1,
            1.283_791_7e-1,
        ],
    );
    let near = near * x + x;
    let decay = polynomial(
        size,
        [
            -1.728_534_7e-5,
            3.831_971_3e-4,
            -3.883_964_4e-3,
            2.425_462_2e-2,
            -1.067_778_8e-1,
            -6.348_467e-1,
            -1.287_175_1e-1,
        ],
    );
    let far = (1.0 - exp(decay * size - size)).copysign(x);
    if size <= 0.927_734_4 { near } else { far }
}

/// The natural logarithm.
#[inline(always)]
pub fn log(x: f32) -> f32 {
    // Floats below the least ordinary one, made ordinary.
    let tiny = x < f32::MIN_POSITIVE;
    let ordinary = if tiny { x * 8_388_608.0 } else { x };
    let bits = ordinary.to_bits();
    // The mantissa from √½ to √2, and its exponent.
    let exponent = (bits.wrapping_sub(0x3f35_04f3) as i32) >> 23;
    let mantissa = f32::from_bits(bits.wrapping_sub((exponent as u32) << 23));
    let exponent = exponent as f32 - if tiny { 23.0 } else { 0.0 };
    let y = mantissa - 1.0;
    let series = polynomial(
        y,
        [
            7.037_683_6e-2,
            -1.151_461e-1,
            1.167_699_9e-1,
            -1.242_014_1e-1,
            1.424_932_3e-1,
            -1.666_805_8e-1,
            2.000_071_5e-1,
            -2.499_999_4e-1,
            3.333_333e-1,
        ],
    );
    let squared = y * y;
    let small = series * y * squared + exponent * LN_2[1] - 0.5 * squared;
    let result = exponent * LN_2[0] + (y + small);
    let result = if x == f32::INFINITY { x } else { result };
    let result = if x == 0.0 { f32::NEG_INFINITY } else { result };
    // Also for NaN.
    if x >= 0.0 { result } else { f32::NAN }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest error in units of the last place of the true result, over every 1021st float.
    fn worst(name: &str, f: fn(f32) -> f32, truth: fn(f64) -> f64) -> f64 {
        let mut worst: (f64, f32) = (0.0, 0.0);
        for bits in (0..=u32::MAX).step_by(1021) {
            let x = f32::from_bits(bits);
            let (found, true_result) = (f(x), truth(f64::from(x)));
            let rounded = true_result as f32;
            assert_eq!(found.is_nan(), true_result.is_nan(), "{name}({x}) = {found}");
            if rounded.is_nan() || found == rounded {
                continue;
            }
            let above = f32::from_bits(rounded.abs().to_bits() + 1);
            let unit = f64::from(above) - f64::from(rounded.abs());
            let error = (f64::from(found) - true_result).abs() / unit;
            assert!(found.is_finite() == rounded.is_finite(), "{name}({x}) = {found}");
            if error > worst.0 {
                worst = (error, x);
            }
        }
        println!("{name}: {} units in the last place at {}", worst.0, worst.1);
        worst.0
    }

    #[test]
    fn errors_are_small_everywhere() {
        assert!(worst("exp", exp, f64::exp) < 1.5);
        assert!(worst("tanh", tanh, f64::tanh) < 2.5);
        assert!(worst("sigmoid", sigmoid, |x| 1.0 / (1.0 + (-x).exp())) < 3.0);
        assert!(worst("erf", erf, crate::graph::math::erf) < 2.5);
        assert!(worst("log", log, f64::ln) < 1.5);
    }

    #[test]
    fn signs_of_zero_and_ends_stay() {
        assert!(tanh(-0.0).is_sign_negative() && erf(-0.0).is_sign_negative());
        assert_eq!([exp(f32::NEG_INFINITY), exp(f32::INFINITY)], [0.0, f32::INFINITY]);
        assert_eq!([tanh(f32::INFINITY), erf(f32::NEG_INFINITY)], [1.0, -1.0]);
        assert_eq!([log(0.0), log(f32::INFINITY)], [f32::NEG_INFINITY, f32::INFINITY]);
    }
}
