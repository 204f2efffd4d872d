// Roots, powers, logarithms, and the functions made of exponentials.

#import lib/number

const LN2_HIGH = 0.693359375; // 10 bits: its product with an exponent is exact
const LN2_LOW = -2.1219444e-4;
const LOG2_E = 1.4426950;
const LN2 = 0.69314718;

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

// One step of Halley's method towards the root of a cube `x`, from a guess `t`: the error's cube is left.
fn nearer_root(t: f32, x: f32) -> f32 {
    let cubed = x / (t * t);
    return t + t * ((cubed - t) / (t + t + cubed));
}

// The cube root: of the significand and what three does not divide of the exponent. The guess has a
// third of their bits; before the last step it is cut to 12, so that its square is exact.
fn safe_cbrt(x: f32) -> f32 {
    let size = bitcast<f32>(magnitude(x));
    if magnitude(x) == 0u || !is_finite(x) {
        return x;
    }
    let p = parts(size);
    let third = i32(floor((p.exponent + 0.5) * 0.33333334));
    let part = p.significand * power_of_two(i32(p.exponent) - 3 * third);
    let guess = bitcast<f32>(bitcast<u32>(part) / 3u + 0x2a5119f2u);
    let root = nearer_root(leading(nearer_root(guess, part)), part);
    return with_sign(root * power_of_two(third), x);
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

// Hyperbolic functions ----------------------------------------------------------------------------

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

// Of machine learning -----------------------------------------------------------------------------

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
