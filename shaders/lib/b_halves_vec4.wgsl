// The right operand where it is floats of 16 bits, two in a word, and every line of it that is read
// together starts at a multiple of 4.

#import halves

@group(0) @binding(1) var<storage, read> b: array<vec2<u32>>;

// Elements i to i + 3; i is a multiple of 4. All four exist, or, where nothing is left, none: they
// count as zero.
fn load_b(i: u32, left: u32) -> vec4<f32> {
    let words = b[i / 4u];
    return select(vec4(0.0), vec4(halves(words.x), halves(words.y)), left > 0u);
}
