// Reflections I - tau v v^T inside of `out`. The first element of v is 1 and is not stored.

#import lib/rotation

// Turns `len` elements, `stride` apart from `start` on, into a multiple of the first unit vector: its
// one element stays in front, the rest of v behind it. Returns tau.
fn reflect_line(start: u32, stride: u32, len: u32) -> f32 {
    var scale = 0.0;
    for (var i = 1u; i < len; i++) {
        scale = max(scale, abs(out[start + i * stride]));
    }
    if !(scale > 0.0) {
        return 0.0;
    }
    var sum = 0.0;
    for (var i = 1u; i < len; i++) {
        let x = out[start + i * stride] / scale;
        sum += x * x;
    }
    let alpha = out[start];
    let beta = -with_sign(hypotenuse(alpha, scale * sqrt(sum)), alpha);
    for (var i = 1u; i < len; i++) {
        out[start + i * stride] /= alpha - beta;
    }
    out[start] = beta;
    return (beta - alpha) / beta;
}

// Elements of `count` lines: element i of line j is at start + i * along + j * across.
struct Lines {
    start: u32,
    along: u32,
    across: u32,
    count: u32,
}

// Applies a reflection whose v has `len` elements, `stride` apart from `v` on.
fn apply_reflection(tau: f32, len: u32, v: u32, stride: u32, lines: Lines) {
    if tau == 0.0 {
        return;
    }
    for (var j = 0u; j < lines.count; j++) {
        let first = lines.start + j * lines.across;
        var dot = out[first];
        for (var i = 1u; i < len; i++) {
            dot += out[v + i * stride] * out[first + i * lines.along];
        }
        out[first] -= tau * dot;
        for (var i = 1u; i < len; i++) {
            out[first + i * lines.along] -= tau * dot * out[v + i * stride];
        }
    }
}

// The first columns of the identity, m rows, where element (i, j) is at start + i * along + j * across.
fn set_identity(m: u32, columns: Lines) {
    for (var i = 0u; i < m; i++) {
        for (var j = 0u; j < columns.count; j++) {
            out[columns.start + i * columns.along + j * columns.across] = f32(i == j);
        }
    }
}
