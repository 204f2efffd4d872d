// Sines, tangents and their inverses.

#import lib/number

const PI = 3.14159265;
const HALF_PI = 1.57079633;

// Sine and cosine of `x` less the nearest multiple of π / 2, and which multiple that is.
struct Turn {
    sine: f32,
    cosine: f32,
    quarter: i32,
}

// Three parts of π / 2, the products of the first two with a quarter number below 2^13 being exact:
// absolute error 1e-7 up to |x| = 1e4, 1e-6 up to 1e5, 0.06 up to 1e6. From 1e7 on nothing is left of
// the argument's position in the circle, and the sine is only sure to lie within -1 and 1.
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
