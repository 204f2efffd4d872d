// The two float16 in a word, the lower half first: exact, subnormal numbers too, which WGSL's
// unpack2x16float may take for zero.
fn halves(word: u32) -> vec2<f32> {
    let bits = vec2(word & 0xffffu, word >> 16u);
    let size = bits & vec2(0x7fffu);
    let normal = bitcast<vec2<f32>>((size << vec2(13u)) + vec2(0x38000000u));
    let subnormal = vec2<f32>(size) * 5.9604644775390625e-8;
    let special = bitcast<vec2<f32>>((size << vec2(13u)) | vec2(0x7f800000u));
    let finite = select(normal, subnormal, size < vec2(0x400u));
    let number = select(finite, special, size >= vec2(0x7c00u));
    return bitcast<vec2<f32>>(bitcast<vec2<u32>>(number) | ((bits & vec2(0x8000u)) << vec2(16u)));
}
