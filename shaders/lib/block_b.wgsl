// Blocks of the right operand B [depth, cols], stored by lines of k, or, where B_TRANSPOSED, by
// lines of columns; `line` elements lie between the starts of two lines.

// Rows k..k + 3 and columns col..col + 3. Rows beyond the depth are zero; columns beyond the last
// are anything, for they are not stored.
fn block_of_b(base: u32, line: u32, k: u32, col: u32, depth: u32, cols: u32) -> mat4x4<f32> {
    if B_TRANSPOSED {
        let left = depth - k;
        let last = cols - 1u;
        return transpose(mat4x4(
            load_b(base + min(col, last) * line + k, left),
            load_b(base + min(col + 1u, last) * line + k, left),
            load_b(base + min(col + 2u, last) * line + k, left),
            load_b(base + min(col + 3u, last) * line + k, left),
        ));
    }
    let left = cols - min(col, cols);
    let i = base + k * line + min(col, cols - 1u);
    return mat4x4(
        load_b(i, left),
        load_b(i + line, select(0u, left, k + 1u < depth)),
        load_b(i + 2u * line, select(0u, left, k + 2u < depth)),
        load_b(i + 3u * line, select(0u, left, k + 3u < depth)),
    );
}
