// Order among numbers and NaN.

#import lib/math

// Whether v takes the place of best in a maximum: the first of equals stays, NaN wins.
fn beats(v: f32, best: f32) -> bool {
    return !is_nan(best) && (is_nan(v) || v > best);
}
