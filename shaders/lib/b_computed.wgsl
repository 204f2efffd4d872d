// The right operand where it is computed where it is read: element_b comes with the epilogue.

// Elements i to i + 3, of which only the first `left` exist; the others count as zero.
fn load_b(i: u32, left: u32) -> vec4<f32> {
    var v = vec4(0.0);
    if left > 0u { v.x = element_b(i); }
    if left > 1u { v.y = element_b(i + 1u); }
    if left > 2u { v.z = element_b(i + 2u); }
    if left > 3u { v.w = element_b(i + 3u); }
    return v;
}
