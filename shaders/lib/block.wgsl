// A 4 x 4 block of an output, one column of the matrix for each row of the block.

// Stores the part of a block that lies inside the output; `base` is the index of row 0, column 0 of
// its batch element.
fn store_block(block: mat4x4<f32>, base: u32, b: u32, row: u32, col: u32, rows: u32, cols: u32) {
    var c = block;
    for (var i = 0u; i < 4u; i++) {
        for (var j = 0u; j < 4u; j++) {
            if row + i < rows && col + j < cols {
                let at = base + (row + i) * cols + col + j;
                out[at] = epilogue(c[i][j], b, row + i, col + j);
            }
        }
    }
}
