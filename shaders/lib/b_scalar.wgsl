// The right operand where nothing is known of its alignment.

@group(0) @binding(1) var<storage, read> b: array<f32>;

fn element_b(i: u32) -> f32 {
    return b[i];
}

// Elements i to i + 3, of which only the first `left` exist; the others count as zero.
fn load_b(i: u32, left: u32) -> vec4<f32> {
    if left >= 4u {
        return vec4(b[i], b[i + 1u], b[i + 2u], b[i + 3u]);
    }
    var v = vec4(0.0);
    if left > 0u { v.x = b[i]; }
    if left > 1u { v.y = b[i + 1u]; }
    if left > 2u { v.z = b[i + 2u]; }
    return v;
}
