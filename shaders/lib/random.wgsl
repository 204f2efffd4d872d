// Threefry-2x32 with 20 rounds (Salmon et al., 2011): random bits from a key and a counter.

fn rotate_left(x: u32, by: u32) -> u32 {
    return (x << by) | (x >> (32u - by));
}

fn four_rounds(x: vec2<u32>, by: vec4<u32>) -> vec2<u32> {
    var a = x.x + x.y;
    var b = rotate_left(x.y, by.x) ^ a;
    a += b;
    b = rotate_left(b, by.y) ^ a;
    a += b;
    b = rotate_left(b, by.z) ^ a;
    a += b;
    b = rotate_left(b, by.w) ^ a;
    return vec2<u32>(a, b);
}

fn threefry(k0: u32, k1: u32, position: u32) -> vec2<u32> {
    let k2 = k0 ^ k1 ^ 0x1bd11bdau;
    let even = vec4<u32>(13u, 15u, 26u, 6u);
    let odd = vec4<u32>(17u, 29u, 16u, 24u);
    var x = vec2<u32>(k0, position + k1);
    x = four_rounds(x, even) + vec2<u32>(k1, k2 + 1u);
    x = four_rounds(x, odd) + vec2<u32>(k2, k0 + 2u);
    x = four_rounds(x, even) + vec2<u32>(k0, k1 + 3u);
    x = four_rounds(x, odd) + vec2<u32>(k1, k2 + 4u);
    return four_rounds(x, even) + vec2<u32>(k2, k0 + 5u);
}

// The upper bits of the lower ones of a block's words, mixed.
fn mixed_bits(block: vec2<u32>, lower: u32, shift: u32) -> u32 {
    return ((block.x ^ block.y) & lower) >> shift;
}
