// The left operand of a product with at most four rows.

// Element k of all rows; rows that do not exist repeat the last one and are not stored.
fn column_of_a(base: u32, k: u32) -> vec4<f32> {
    let rows = min(vec4(0u, 1u, 2u, 3u), vec4(params.m - 1u));
    let i = vec4(base + k * params.a_k) + rows * params.a_row;
    return vec4(a[i.x], a[i.y], a[i.z], a[i.w]);
}
