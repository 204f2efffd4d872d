// Blocks of 4 x 4 elements as matrices; one column of the matrix is one row of the block, so the
// product of blocks C += A * B reads `c += b * a`.

// Stores the part of an output block that lies inside `rows` and before `col_end`; the output has
// `cols` columns.
fn store_block(
    block: mat4x4<f32>,
    b: u32,
    row: u32,
    col: u32,
    rows: u32,
    col_end: u32,
    cols: u32,
) {
    var c = block;
    for (var i = 0u; i < 4u; i++) {
        for (var j = 0u; j < 4u; j++) {
            if row + i < rows && col + j < col_end {
                store((b * rows + row + i) * cols + col + j, epilogue(c[i][j], b, row + i, col + j));
            }
        }
    }
}
