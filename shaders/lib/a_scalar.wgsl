// The left operand where nothing is known of its alignment.

@group(0) @binding(0) var<storage, read> a: array<f32>;

// Elements i to i + 3, of which only the first `left` exist; the others count as zero.
fn load_a(i: u32, left: u32) -> vec4<f32> {
    if left >= 4u {
        return vec4(a[i], a[i + 1u], a[i + 2u], a[i + 3u]);
    }
    var v = vec4(0.0);
    if left > 0u { v.x = a[i]; }
    if left > 1u { v.y = a[i + 1u]; }
    if left > 2u { v.z = a[i + 2u]; }
    return v;
}
