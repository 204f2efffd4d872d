// The two bfloat16 in a word, the lower half first.
fn halves(word: u32) -> vec2<f32> {
    return bitcast<vec2<f32>>(vec2(word << 16u, word & 0xffff0000u));
}
