// The right operand where it is floats of 16 bits, two in a word, and nothing is known of its
// alignment.

#import lib/b_computed
#import halves

@group(0) @binding(1) var<storage, read> b: array<u32>;

fn element_b(i: u32) -> f32 {
    let both = halves(b[i / 2u]);
    return select(both.x, both.y, (i & 1u) == 1u);
}
