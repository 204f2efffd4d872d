// Guarded mathematics: the functions that the tables UNARY and BINARY name.
//
// WGSL's own functions may be off by thousands of units in the last place, may overflow inside
// (`tanh` gives NaN at 100 on one driver), and compilers may assume that there are no NaNs and no
// infinities. So NaN is told by its bits, never by `x != x`, infinities are made from bits, and the
// functions are polynomials after a reduction of the argument. The polynomials are near-minimax in
// relative error (Lawson's iteration on Chebyshev nodes); largest errors are in the manual's
// chapter on numerics.

// NaN by bit pattern: compilers may assume that no value is NaN, so `x != x` proves nothing.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

const SIGN = 0x80000000u;
const LN2_HIGH = 0.693359375; // 10 bits: its product with an exponent is exact
const LN2_LOW = -2.1219444e-4;
const LOG2_E = 1.4426950;
const LN2 = 0.69314718;
const PI = 3.14159265;
const HALF_PI = 1.57079633;

// Through a variable, because a constant expression must not be infinite.
fn infinity() -> f32 {
    var bits = 0x7f800000u;
    return bitcast<f32>(bits);
}

fn not_a_number() -> f32 {
    var bits = 0x7fc00000u;
    return bitcast<f32>(bits);
}

fn magnitude(x: f32) -> u32 {
    return bitcast<u32>(x) & 0x7fffffffu;
}

fn is_inf(x: f32) -> bool {
    return magnitude(x) == 0x7f800000u;
}

fn is_finite(x: f32) -> bool {
    return magnitude(x) < 0x7f800000u;
}

fn is_negative(x: f32) -> bool {
    return (bitcast<u32>(x) & SIGN) != 0u;
}

// Magnitude of `x`, sign of `s`.
fn with_sign(x: f32, s: f32) -> f32 {
    return bitcast<f32>(magnitude(x) | (bitcast<u32>(s) & SIGN));
}

// The leading 12 bits of the significand: products of two such numbers are exact.
fn leading(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);
}

// Numbers of either kind ---------------------------------------------------------------------------

fn neg_f32(x: f32) -> f32 {
    return -x;
}

fn neg_i32(x: i32) -> i32 {
    return -x;
}

fn neg_u32(x: u32) -> u32 {
    return 0u - x;
}

fn sign_f32(x: f32) -> f32 {
    let unit = with_sign(1.0, x);
    return select(unit, x, magnitude(x) == 0u || is_nan(x));
}

fn sign_i32(x: i32) -> i32 {
    return sign(x);
}

fn sign_u32(x: u32) -> u32 {
    return min(x, 1u);
}

// Whether a small number divided by an infinite one is just below zero, not zero or above.
fn just_below_zero(a: f32, b: f32) -> bool {
    return magnitude(a) != 0u && is_negative(a) != is_negative(b);
}

fn floor_div_f32(a: f32, b: f32) -> f32 {
    if is_inf(b) && is_finite(a) {
        return select(0.0, -1.0, just_below_zero(a, b));
    }
    // The quotient may be rounded across an integer: 49 * (1 / 49) is below 1 on many devices.
    let nearest = round(a / b);
    let rest = fma(-nearest, b, a);
    let below = rest != 0.0 && (rest < 0.0) != (b < 0.0);
    return select(floor(a / b), select(nearest, nearest - 1.0, below), is_finite(rest));
}

fn floor_mod_f32(a: f32, b: f32) -> f32 {
    if is_inf(b) && is_finite(a) {
        return select(a, b, just_below_zero(a, b));
    }
    return fma(-floor_div_f32(a, b), b, a);
}

// Division by zero gives zero, as on the host.
fn floor_div_i32(a: i32, b: i32) -> i32 {
    let divisor = select(b, 1, b == 0);
    let inexact = a % divisor != 0 && (a < 0) != (b < 0);
    return select(a / divisor - i32(inexact), 0, b == 0);
}

fn floor_div_u32(a: u32, b: u32) -> u32 {
    return select(a / select(b, 1u, b == 0u), 0u, b == 0u);
}

fn floor_mod_i32(a: i32, b: i32) -> i32 {
    let rest = a % select(b, 1, b == 0);
    return select(rest, rest + b, rest != 0 && (rest < 0) != (b < 0));
}

fn floor_mod_u32(a: u32, b: u32) -> u32 {
    return a % select(b, 1u, b == 0u);
}

// By squaring; wraps.
fn int_pow_u32(a: u32, b: u32) -> u32 {
    var result = 1u;
    var square = a;
    for (var rest = b; rest != 0u; rest >>= 1u) {
        result *= select(1u, square, (rest & 1u) != 0u);
        square *= square;
    }
    return result;
}

// Negative powers of integers are 1 for 1 and 0 for all others, as on the host.
fn int_pow_i32(a: i32, b: i32) -> i32 {
    return select(i32(int_pow_u32(u32(a), u32(b))), i32(a == 1), b < 0);
}

// Comparisons --------------------------------------------------------------------------------------

fn comparable(a: f32, b: f32) -> bool {
    return !is_nan(a) && !is_nan(b);
}

fn nan_max(a: f32, b: f32) -> f32 {
    return select(select(select(b, a, a > b), b, is_nan(b)), a, is_nan(a));
}

fn nan_min(a: f32, b: f32) -> f32 {
    return select(select(select(b, a, a < b), b, is_nan(b)), a, is_nan(a));
}

// Powers and logarithms ----------------------------------------------------------------------------

fn safe_sqrt(x: f32) -> f32 {
    return select(sqrt(x), not_a_number(), x < 0.0);
}

fn safe_rsqrt(x: f32) -> f32 {
    if magnitude(x) == 0u {
        return with_sign(infinity(), x);
    }
    return select(inverseSqrt(x), not_a_number(), x < 0.0);
}

// 2^n for -126 <= n <= 127.
fn power_of_two(n: i32) -> f32 {
    return bitcast<f32>(u32(n + 127) << 23u);
}

// x · 2^n for |n| <= 252, in two steps so that subnormal and infinite results come out right.
fn scaled(x: f32, n: i32) -> f32 {
    let half = n / 2;
    return x * power_of_two(half) * power_of_two(n - half);
}

// exp(r) - 1 for |r| <= ln(2) / 2.
fn expm1_core(r: f32) -> f32 {
    let p = 0.49999997 + r * (0.16666543 + r * (0.0416672 + r * (0.0083665205 + r * 0.0013882519)));
    return r + r * r * p;
}

// x less n · ln(2), where n is the nearest integer to x / ln(2).
fn reduced_exponent(x: f32, n: f32) -> f32 {
    return (x - n * LN2_HIGH) - n * LN2_LOW;
}

// exp(x) · 2^shift for numbers.
fn exp_shifted(x: f32, shift: i32) -> f32 {
    let bounded = clamp(x, -105.0, 90.0);
    let n = round(bounded * LOG2_E);
    return scaled(1.0 + expm1_core(reduced_exponent(bounded, n)), i32(n) + shift);
}

fn safe_exp(x: f32) -> f32 {
    if is_nan(x) {
        return x;
    }
    return select(exp_shifted(x, 0), infinity(), x > 88.722839);
}

fn safe_expm1(x: f32) -> f32 {
    if is_nan(x) || magnitude(x) == 0u {
        return x;
    }
    if x > 60.0 {
        return safe_exp(x);
    }
    let bounded = max(x, -60.0);
    let n = round(bounded * LOG2_E);
    let power = power_of_two(i32(n));
    return power * expm1_core(reduced_exponent(bounded, n)) + (power - 1.0);
}

// log(1 + f) for sqrt(1 / 2) <= 1 + f <= sqrt(2).
fn log1p_core(f: f32) -> f32 {
    let high = 0.1421955 + f * (-0.12405589 + f * (0.1188818 + f * (-0.1167566 + f * 0.067466125)));
    let p = 0.33333313 + f * (-0.2500001 + f * (0.20002119 + f * (-0.16667996 + f * high)));
    return (f * f * f * p - 0.5 * f * f) + f;
}

struct Parts {
    exponent: f32,
    significand: f32, // from sqrt(1 / 2) to sqrt(2)
}

// A positive number as significand · 2^exponent. Subnormal ones are shifted as integers, because
// arithmetic on them may give zero.
fn parts(x: f32) -> Parts {
    let bits = bitcast<u32>(x);
    let shift = select(0u, countLeadingZeros(bits) - 8u, bits < 0x00800000u);
    let normal = bits << shift;
    let exponent = i32(normal - 0x3f3504f3u) >> 23u;
    let significand = bitcast<f32>(normal - (u32(exponent) << 23u));
    return Parts(f32(exponent - i32(shift)), significand);
}

fn safe_log(x: f32) -> f32 {
    if magnitude(x) == 0u {
        return -infinity();
    }
    if is_negative(x) {
        return not_a_number();
    }
    if !is_finite(x) {
        return x;
    }
    let p = parts(x);
    let fraction = log1p_core(p.significand - 1.0);
    return (fraction + p.exponent * LN2_LOW) + p.exponent * LN2_HIGH;
}

fn safe_log1p(x: f32) -> f32 {
    if is_nan(x) || magnitude(x) == 0u {
        return x;
    }
    return select(safe_log(1.0 + x), log1p_core(x), x > -0.29289 && x < 0.41421);
}

// An unevaluated sum; `high` has 12 significant bits.
struct Pair {
    high: f32,
    low: f32,
}

// log2 of a positive number to 30 bits, from log(m) = 2 atanh((m - 1) / (m + 1)).
fn log2_pair(x: f32) -> Pair {
    let p = parts(x);
    let numerator = p.significand - 1.0;
    let denominator = p.significand + 1.0;
    let s = numerator / denominator;
    let s_high = leading(s);
    let d_high = leading(denominator);
    let d_low = p.significand - (d_high - 1.0);
    let s_low = ((numerator - s_high * d_high) - s_high * d_low) / denominator;
    // 2 / ln(2), in 12 bits and the rest.
    let scale_high = 2.884765625;
    let scale_low = 6.2445678e-4;
    let z = s * s;
    let series = s * z * (0.33333388 + z * (0.19988722 + z * 0.149373));
    let main = scale_high * s_high;
    let rest = scale_high * s_low + scale_low * s + (scale_high + scale_low) * series;
    let high = leading(p.exponent + (main + rest));
    return Pair(high, ((p.exponent - high) + main) + rest);
}

// |x|^y for finite positive |x| and finite y.
fn positive_pow(x: f32, y: f32) -> f32 {
    let l = log2_pair(x);
    let rough = y * l.high;
    if !(abs(rough) < 200.0) {
        return select(infinity(), 0.0, (rough < 0.0));
    }
    let y_high = leading(y);
    let main = y_high * l.high;
    let rest = (y - y_high) * l.high + y * l.low;
    let n = round(main + rest);
    return scaled(1.0 + expm1_core(((main - n) + rest) * LN2), i32(n));
}

// As C's `pow`, every special case included.
fn safe_pow(x: f32, y: f32) -> f32 {
    if magnitude(y) == 0u || bitcast<u32>(x) == 0x3f800000u {
        return 1.0;
    }
    if is_nan(x) || is_nan(y) {
        return not_a_number();
    }
    let size = bitcast<f32>(magnitude(x));
    let whole = magnitude(y) >= 0x4b800000u || floor(y) == y; // from 2^24 on all are even
    let odd = whole && magnitude(y) < 0x4b800000u && (i32(clamp(y, -16777216.0, 16777216.0)) & 1) != 0;
    let sign = select(1.0, -1.0, is_negative(x) && odd);
    if magnitude(x) == 0u || is_inf(x) {
        let vanishes = (magnitude(x) == 0u) != is_negative(y);
        return with_sign(select(infinity(), 0.0, vanishes), sign);
    }
    if is_inf(y) {
        let grows = (size > 1.0) != is_negative(y);
        return select(select(0.0, infinity(), grows), 1.0, size == 1.0);
    }
    if is_negative(x) && !whole {
        return not_a_number();
    }
    return with_sign(positive_pow(size, y), sign);
}

// Circular functions -------------------------------------------------------------------------------

// Sine and cosine of `x` less the nearest multiple of π / 2, and which multiple that is.
struct Turn {
    sine: f32,
    cosine: f32,
    quarter: i32,
}

// Three parts of π / 2, the products of the first two with a quarter number below 2^13 being exact:
// absolute error 1e-7 up to |x| = 1e4, growing in proportion beyond. From 1e7 on nothing is left of
// the argument's position in the circle, and the result is only sure to lie within -1 and 1.
fn turn(x: f32) -> Turn {
    let n = round(clamp(x, -1e9, 1e9) * 0.63661977);
    let r = ((x - n * 1.5703125) - n * 4.8375129e-4) - n * 7.5497899e-8;
    let bounded = clamp(r, -0.8, 0.8);
    let z = bounded * bounded;
    let sine = bounded + bounded * z * (-0.16666655 + z * (0.008332173 + z * -1.9516655e-4));
    let cosine = 1.0 - 0.5 * z + z * z * (0.041666646 + z * (-0.0013887362 + z * 2.4437728e-5));
    return Turn(sine, cosine, i32(n));
}

fn safe_sin(x: f32) -> f32 {
    if !is_finite(x) {
        return not_a_number();
    }
    let t = turn(x);
    let size = select(t.sine, t.cosine, (t.quarter & 1) != 0);
    return select(size, -size, (t.quarter & 2) != 0);
}

fn safe_cos(x: f32) -> f32 {
    if !is_finite(x) {
        return not_a_number();
    }
    let t = turn(x);
    let size = select(t.cosine, t.sine, (t.quarter & 1) != 0);
    return select(size, -size, ((t.quarter + 1) & 2) != 0);
}

fn safe_tan(x: f32) -> f32 {
    if !is_finite(x) {
        return not_a_number();
    }
    let t = turn(x);
    return select(t.sine / t.cosine, -t.cosine / t.sine, (t.quarter & 1) != 0);
}

// asin(x) for 0 <= x <= 1/2.
fn asin_core(x: f32) -> f32 {
    let z = x * x;
    let p = 0.16666754 + z * (0.07495233 + z * (0.04547834 + z * (0.024140999 + z * 0.04223053)));
    return x + x * z * p;
}

fn safe_asin(x: f32) -> f32 {
    let size = abs(x);
    if !(magnitude(x) <= 0x3f800000u) {
        return not_a_number();
    }
    if size <= 0.5 {
        return with_sign(asin_core(size), x);
    }
    return with_sign(HALF_PI - 2.0 * asin_core(sqrt(0.5 * (1.0 - size))), x);
}

fn safe_acos(x: f32) -> f32 {
    let size = abs(x);
    if !(magnitude(x) <= 0x3f800000u) {
        return not_a_number();
    }
    if size <= 0.5 {
        return HALF_PI - with_sign(asin_core(size), x);
    }
    let angle = 2.0 * asin_core(sqrt(0.5 * (1.0 - size)));
    return select(angle, PI - angle, is_negative(x));
}

// atan(x) for 0 <= x <= 1.
fn atan_core(x: f32) -> f32 {
    let steep = x > 0.41421356;
    let t = select(x, (x - 1.0) / (x + 1.0), steep);
    let z = t * t;
    let p = z * (-0.33333316 + z * (0.1999849 + z * (-0.14243837 + z * (0.10595912 + z * -0.060832158))));
    return select(0.0, 0.78539816, steep) + (t + t * p);
}

fn safe_atan(x: f32) -> f32 {
    if is_nan(x) {
        return x;
    }
    let size = bitcast<f32>(magnitude(x));
    if size <= 1.0 {
        return with_sign(atan_core(size), x);
    }
    let inverse = select(1.0 / min(size, 1e37), 0.0, size > 1e37);
    return with_sign(HALF_PI - atan_core(inverse), x);
}

// As C's `atan2`, every special case included.
fn safe_atan2(y: f32, x: f32) -> f32 {
    if is_nan(x) || is_nan(y) {
        return not_a_number();
    }
    let a = bitcast<f32>(magnitude(x));
    let b = bitcast<f32>(magnitude(y));
    // Down from where a division may lose its result.
    let scale = select(1.0, 1.0 / 4294967296.0, max(a, b) > 1e19);
    let small = min(a, b) * scale;
    let large = max(a, b) * scale;
    let inner = select(small / large, 1.0, magnitude(a) == magnitude(b));
    let ratio = select(inner, 0.0, magnitude(large) == 0u || (is_inf(large) && !is_inf(small)));
    let acute = atan_core(ratio);
    let up = select(acute, HALF_PI - acute, b > a);
    return with_sign(select(up, PI - up, is_negative(x)), y);
}

// Hyperbolic functions -----------------------------------------------------------------------------

fn safe_sinh(x: f32) -> f32 {
    if !is_finite(x) {
        return x;
    }
    let size = abs(x);
    if size < 1.0 {
        let z = x * x;
        return x + x * z * (0.16666667 + z * (0.0083333505 + z * (1.9836066e-4 + z * 2.8174397e-6)));
    }
    let half = exp_shifted(size, -1);
    return with_sign(select(half - 0.25 / half, infinity(), size > 89.415985), x);
}

fn safe_cosh(x: f32) -> f32 {
    if is_nan(x) {
        return x;
    }
    let size = bitcast<f32>(magnitude(x));
    let half = exp_shifted(size, -1);
    return select(half + 0.25 / half, infinity(), size > 89.415985);
}

fn safe_tanh(x: f32) -> f32 {
    if is_nan(x) {
        return x;
    }
    let size = bitcast<f32>(magnitude(x));
    if size < 0.625 {
        let z = x * x;
        let p = -0.33333284 + z * (0.13331491 + z * (-0.053743497 + z * (0.020650579 + z * -0.005717037)));
        return x + x * z * p;
    }
    return with_sign(1.0 - 2.0 / (exp_shifted(min(2.0 * size, 20.0), 0) + 1.0), x);
}

fn safe_asinh(x: f32) -> f32 {
    if !is_finite(x) {
        return x;
    }
    let size = abs(x);
    if size < 0.5 {
        let z = x * x;
        let p = -0.16666643 + z * (0.07498663 + z * (-0.044385865 + z * (0.028175548 + z * -0.01324808)));
        return x + x * z * p;
    }
    if size > 1e9 {
        return with_sign(safe_log(size) + LN2, x);
    }
    return with_sign(safe_log(size + sqrt(size * size + 1.0)), x);
}

fn safe_acosh(x: f32) -> f32 {
    if is_nan(x) || x < 1.0 {
        return not_a_number();
    }
    if !(x < 1e9) {
        return safe_log(x) + LN2;
    }
    let t = x - 1.0;
    return safe_log1p(t + sqrt(t * (t + 2.0)));
}

fn safe_atanh(x: f32) -> f32 {
    let size = bitcast<f32>(magnitude(x));
    if magnitude(x) > 0x3f800000u {
        return not_a_number();
    }
    if size < 0.5 {
        let z = x * x;
        let high = 0.14221488 + z * (0.118339576 + z * (0.05098562 + z * 0.17719632));
        return x + x * z * (0.333333 + z * (0.20002587 + z * high));
    }
    if magnitude(x) == 0x3f800000u {
        return with_sign(infinity(), x);
    }
    return with_sign(0.5 * safe_log1p(2.0 * size / (1.0 - size)), x);
}

// Of machine learning ------------------------------------------------------------------------------

fn safe_sigmoid(x: f32) -> f32 {
    if is_nan(x) {
        return x;
    }
    let small = exp_shifted(-bitcast<f32>(magnitude(x)), 0);
    return select(1.0, small, is_negative(x)) / (1.0 + small);
}

fn safe_erf(x: f32) -> f32 {
    if is_nan(x) {
        return x;
    }
    let size = bitcast<f32>(magnitude(x));
    if size < 0.93 {
        let z = x * x;
        let high = -0.026854444 + z * (0.005189535 + z * (-8.020841e-4 + z * 7.889119e-5));
        return x + x * (0.12837917 + z * (-0.37612626 + z * (0.112836 + z * high)));
    }
    // 1 - exp(log(erfc)), with log(erfc(t)) / t as a polynomial.
    let t = min(size, 4.0);
    let high = 0.023762075 + t * (-0.003642465 + t * (3.228054e-4 + t * -1.1231466e-5));
    let exponent = t * (-1.1286485 + t * (-0.6351513 + t * (-0.10623689 + t * high)));
    return with_sign(1.0 - exp_shifted(exponent, 0), x);
}

// Rounding and casts -------------------------------------------------------------------------------

// The nearest float16, ties to even, as a float32.
fn round_f16(x: f32) -> f32 {
    let size = magnitude(x);
    if size >= 0x7f800000u {
        return x;
    }
    if size >= 0x477ff000u { // 65520, halfway to what would be the next number
        return with_sign(infinity(), x);
    }
    if size < 0x38800000u { // subnormal: multiples of 2^-24
        return with_sign(round(x * 16777216.0) * (1.0 / 16777216.0), x);
    }
    let rounded = (size + 0xfffu + ((size >> 13u) & 1u)) & 0xffffe000u;
    return with_sign(bitcast<f32>(rounded), x);
}

// The nearest bfloat16, ties to even, as a float32.
fn round_bf16(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let rounded = (bits + 0x7fffu + ((bits >> 16u) & 1u)) & 0xffff0000u;
    return select(bitcast<f32>(rounded), x, is_nan(x));
}

// Towards zero; saturates, and NaN gives 0.
fn f32_to_i32(x: f32) -> i32 {
    let inside = i32(clamp(x, -2147483648.0, 2147483520.0));
    return select(select(inside, 0x7fffffff, x >= 2147483648.0), 0, is_nan(x));
}

fn f32_to_u32(x: f32) -> u32 {
    let inside = u32(clamp(x, 0.0, 4294967040.0));
    return select(select(inside, 0xffffffffu, x >= 4294967296.0), 0u, is_nan(x));
}
