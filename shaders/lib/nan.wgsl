// Tests by bit pattern: compilers may assume that no value is NaN, so `x != x` proves nothing.

fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// Whether v takes the place of best in a maximum: the first of equals stays, NaN wins.
fn beats(v: f32, best: f32) -> bool {
    return !is_nan(best) && (is_nan(v) || v > best);
}
