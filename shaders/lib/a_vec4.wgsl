// The left operand where every line of it that is read together starts at a multiple of 4.

@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;

// Elements i to i + 3; i is a multiple of 4. All four exist, or, where nothing is left, none: they
// count as zero.
fn load_a(i: u32, left: u32) -> vec4<f32> {
    return select(vec4(0.0), a[i / 4u], left > 0u);
}
