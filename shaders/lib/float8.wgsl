// Floats of eight bits: numbers that are one, and their bits.

#import lib/number

// The nearest float8_e4m3fn, ties to even, as a float32; NaN where that would be beyond 448.
fn round_e4m3fn(x: f32) -> f32 {
    let size = magnitude(x);
    if size > 0x43e80000u { // 464, halfway to what would be the next number
        return not_a_number();
    }
    if size < 0x3c800000u { // subnormal: multiples of 2^-9
        return with_sign(round(x * 512.0) * (1.0 / 512.0), x);
    }
    let rounded = (size + 0x7ffffu + ((size >> 20u) & 1u)) & 0xfff00000u;
    return with_sign(bitcast<f32>(rounded), x);
}

// The nearest float8_e5m2, ties to even, as a float32.
fn round_e5m2(x: f32) -> f32 {
    let size = magnitude(x);
    if size >= 0x7f800000u {
        return x;
    }
    if size >= 0x47700000u { // 61440, halfway to what would be the next number
        return with_sign(infinity(), x);
    }
    if size < 0x38800000u { // subnormal: multiples of 2^-16
        return with_sign(round(x * 65536.0) * (1.0 / 65536.0), x);
    }
    let rounded = (size + 0xfffffu + ((size >> 21u) & 1u)) & 0xffe00000u;
    return with_sign(bitcast<f32>(rounded), x);
}

// The bits of a number that is a float8_e4m3fn.
fn e4m3fn_bits(x: f32) -> u32 {
    let size = magnitude(x);
    let sign = (bitcast<u32>(x) >> 24u) & 0x80u;
    if size > 0x7f800000u {
        return sign | 0x7fu;
    }
    if size < 0x3c800000u {
        return sign | u32(bitcast<f32>(size) * 512.0);
    }
    return sign | ((size - 0x3c000000u) >> 20u);
}

// The number of the bits of a float8_e4m3fn.
fn e4m3fn_of_bits(bits: u32) -> f32 {
    let sign = (bits & 0x80u) << 24u;
    let size = bits & 0x7fu;
    if size == 0x7fu {
        return not_a_number();
    }
    if size < 8u {
        return bitcast<f32>(sign | bitcast<u32>(f32(size) * (1.0 / 512.0)));
    }
    return bitcast<f32>(sign | ((size << 20u) + 0x3c000000u));
}

// The bits of a number that is a float8_e5m2: the upper half of a float16's.
fn e5m2_bits(x: f32) -> u32 {
    return f16_bits(x) >> 8u;
}

// The number of the bits of a float8_e5m2.
fn e5m2_of_bits(bits: u32) -> f32 {
    return f16_of_bits(bits << 8u);
}
