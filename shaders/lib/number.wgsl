// Bits, signs, comparisons, integers, rounding and casts.
//
// Compilers may assume that there are no NaNs and no infinities. So NaN is told by its bits, never by
// `x != x`, and infinities are made from bits.

const SIGN = 0x80000000u;

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

fn is_nan(x: f32) -> bool {
    return magnitude(x) > 0x7f800000u;
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

fn comparable(a: f32, b: f32) -> bool {
    return !is_nan(a) && !is_nan(b);
}

fn nan_max(a: f32, b: f32) -> f32 {
    return select(select(select(b, a, a > b), b, is_nan(b)), a, is_nan(a));
}

fn nan_min(a: f32, b: f32) -> f32 {
    return select(select(select(b, a, a < b), b, is_nan(b)), a, is_nan(a));
}

// Division and powers of either kind of number ----------------------------------------------------

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

// x without its last 12 bits: the product of two such numbers is exact.
fn upper_half(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);
}

// a - n * b where the product is near a: exact also on devices whose fma rounds the product.
fn less_product(a: f32, n: f32, b: f32) -> f32 {
    let product = n * b;
    let n_high = upper_half(n);
    let b_high = upper_half(b);
    let n_low = n - n_high;
    let b_low = b - b_high;
    let lost = ((n_high * b_high - product) + n_high * b_low + n_low * b_high) + n_low * b_low;
    return (a - product) - lost;
}

// What is left of a number from 0 on when a positive one is taken off as often as it fits: exact, by
// long division in steps of 22 bits.
fn left_of(a: f32, b: f32) -> f32 {
    var left = a;
    for (var i = 0u; i < 16u && left >= b; i++) {
        let surplus = i32(bitcast<u32>(left) >> 23u) - i32(bitcast<u32>(b) >> 23u) - 22;
        let by = bitcast<f32>(bitcast<u32>(b) + (u32(max(surplus, 0)) << 23u));
        let rest = less_product(left, floor(left / by), by);
        left = select(rest, rest + by, rest < 0.0);
    }
    return left;
}

// The remainder with the sign of a, as C's fmod; NaN for what divides nothing or is infinite.
fn rest_of(a: f32, b: f32) -> f32 {
    let is_normal = magnitude(b) >= 0x00800000u;
    if !is_finite(a) || !is_finite(b) || !is_normal {
        return not_a_number();
    }
    return with_sign(left_of(abs(a), abs(b)), a);
}

// Whether a quotient that is cut off lies above the one that is rounded down.
fn is_above_floor(rest: f32, b: f32) -> bool {
    return rest != 0.0 && is_negative(rest) != is_negative(b);
}

fn floor_div_f32(a: f32, b: f32) -> f32 {
    if is_inf(b) && is_finite(a) {
        return select(0.0, -1.0, is_above_floor(a, b));
    }
    if is_inf(a) && magnitude(b) != 0u {
        return not_a_number();
    }
    let rest = rest_of(a, b);
    // The quotient may be rounded across an integer: 49 * (1 / 49) is below 1 on many devices.
    let quotient = round((a - rest) / b);
    return select(floor(a / b), quotient - select(0.0, 1.0, is_above_floor(rest, b)), is_finite(rest));
}

fn floor_mod_f32(a: f32, b: f32) -> f32 {
    if is_inf(b) && is_finite(a) {
        return select(a, b, is_above_floor(a, b));
    }
    let rest = rest_of(a, b);
    return select(rest, rest + b, is_above_floor(rest, b));
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

// Rounding and casts ------------------------------------------------------------------------------

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

// The bits of a number that float16 can represent.
fn f16_bits(x: f32) -> u32 {
    let m = magnitude(x);
    let sign = (bitcast<u32>(x) >> 16u) & 0x8000u;
    if m > 0x7f800000u {
        return sign | 0x7e00u;
    }
    if m == 0x7f800000u {
        return sign | 0x7c00u;
    }
    if m >= 0x38800000u {
        return sign | ((m - 0x38000000u) >> 13u);
    }
    return sign | u32(bitcast<f32>(m) * 16777216.0);
}

fn f16_of_bits(bits: u32) -> f32 {
    let size = bits & 0x7fffu;
    // Without a branch: weights are unpacked where products read them.
    let normal = bitcast<f32>((size << 13u) + 0x38000000u);
    let subnormal = f32(size) * 5.9604644775390625e-8;
    let special = bitcast<f32>((size << 13u) | 0x7f800000u);
    let number = select(select(normal, special, size >= 0x7c00u), subnormal, size < 0x400u);
    return bitcast<f32>(bitcast<u32>(number) | ((bits & 0x8000u) << 16u));
}

fn shift_left_u32(a: u32, b: u32) -> u32 {
    return select(0u, a << (b & 31u), b < 32u);
}

fn shift_left_i32(a: i32, b: i32) -> i32 {
    return bitcast<i32>(shift_left_u32(bitcast<u32>(a), bitcast<u32>(b)));
}

fn shift_right_u32(a: u32, b: u32) -> u32 {
    return select(0u, a >> (b & 31u), b < 32u);
}

// All sign where nothing else is left; a negative distance counts as a long one.
fn shift_right_i32(a: i32, b: i32) -> i32 {
    return a >> min(bitcast<u32>(b), 31u);
}

fn gcd_u32(a: u32, b: u32) -> u32 {
    var x = a;
    var y = b;
    while y != 0u {
        let rest = x % y;
        x = y;
        y = rest;
    }
    return x;
}

fn gcd_i32(a: i32, b: i32) -> i32 {
    return bitcast<i32>(gcd_u32(bitcast<u32>(abs(a)), bitcast<u32>(abs(b))));
}
