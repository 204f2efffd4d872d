// The left operand where nothing is known of its alignment.

@group(0) @binding(0) var<storage, read> a: array<f32>;

// Elements i to i + 3, of which only the first `left` exist; the others count as zero. Without
// branches, whose sides a software adapter computes all; what does not exist is read from elsewhere.
fn load_a(i: u32, left: u32) -> vec4<f32> {
    let at = vec4(i) + min(vec4(0u, 1u, 2u, 3u), vec4(max(left, 1u) - 1u));
    let v = vec4(a[at.x], a[at.y], a[at.z], a[at.w]);
    return select(vec4(0.0), v, vec4(0u, 1u, 2u, 3u) < vec4(left));
}
