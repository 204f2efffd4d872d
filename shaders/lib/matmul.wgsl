// A matrix product by tiles of its outputs: parameters and operands. Tiles are numbered along columns
// first, then rows, then batch.
//
// Modules   operand_b, epilogue.

struct Params {
    m: u32,
    n: u32,
    k: u32,
    a_stride: u32,
    b_stride: u32,
    a_row: u32,
    a_k: u32,
    b_k: u32,
    b_col: u32,
    row_tiles: u32,
    col_tiles: u32,
    tiles: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
#import operand_b
@group(1) @binding(0) var<uniform> params: Params;

#import epilogue
@group(0) @binding(2) var<storage, read_write> out: array<Out>;
