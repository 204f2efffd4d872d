// conv_gemm: convolution or its input gradient, with epilogue, for GPUs: an implicit matrix product
//
// Shapes    as conv_block. The product's rows are output positions, its columns the channels of
//           one group, and its depth runs over taps and source channels.
// Grid      one workgroup per tile of 64 positions x 64 channels of one group; channels first, then
//           positions, then groups.
// Memory    two tiles of 64 x 16 elements, 8.5 KiB of workgroup memory, filled before it is read.
// Prelude   B_TRANSPOSED, DIVIDED: as conv_block.
// Modules   operand_b: lib/b_scalar, lib/b_halves, or lib/b_computed where the epilogue has element_b.
// Accuracy  float32; products are added to the running sum in the order of taps, then channels.

#import lib/index
#import lib/conv

@group(0) @binding(0) var<storage, read> a: array<f32>;
#import operand_b
#import epilogue
@group(0) @binding(2) var<storage, read_write> out: array<Out>;
#import lib/block

const TILE = 64u;
const DEPTH = 16u;

// By depth, then by four rows or columns. The 17th column only spreads the memory banks.
var<workgroup> tile_a: array<array<vec4<f32>, 17>, DEPTH>;
var<workgroup> tile_b: array<array<vec4<f32>, 17>, DEPTH>;

fn element_of_a(row: Row, tap: vec3<i32>, channel: u32, inside: bool) -> f32 {
    let at = source_of(row, tap);
    if inside && at != NOWHERE {
        return a[at + channel];
    }
    return 0.0;
}

fn element_of_b(base: u32, tap: u32, k: u32, col: u32, inside: bool) -> f32 {
    if inside && col < params.cols {
        let line = select(k, col, B_TRANSPOSED);
        let column = select(col, k, B_TRANSPOSED);
        return element_b(base + tap * params.tap_stride + line * params.line + column);
    }
    return 0.0;
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let tile = linear_group(group, groups);
    if tile >= params.blocks {
        return;
    }
    let col = tile % params.col_blocks * TILE;
    let row = tile / params.col_blocks % params.row_blocks * TILE;
    let g = tile / params.col_blocks / params.row_blocks;
    let depth = params.depth * u32(params.taps_d * params.taps_h * params.taps_w);

    // Neighbours load neighbouring channels of the source: four rows at one depth each.
    let a_rows = lane / DEPTH;
    let a_depth = lane % DEPTH;
    let row0 = row_of(row + a_rows * 4u);
    let row1 = row_of(row + a_rows * 4u + 1u);
    let row2 = row_of(row + a_rows * 4u + 2u);
    let row3 = row_of(row + a_rows * 4u + 3u);
    // Of the filter, neighbours load along its lines.
    let b_cols = select(lane % (TILE / 4u), lane / DEPTH, B_TRANSPOSED);
    let b_depth = select(lane / (TILE / 4u), lane % DEPTH, B_TRANSPOSED);
    let b_base = g * params.group_stride;
    let b_col = col + b_cols * 4u;
    let x = lane % 16u;
    let y = lane / 16u;

    var c = mat4x4<f32>();
    for (var k = 0u; k < depth; k += DEPTH) {
        let ka = k + a_depth;
        let tap = tap_of(ka / params.depth);
        let channel = g * params.depth + ka % params.depth;
        tile_a[a_depth][a_rows] = vec4(
            element_of_a(row0, tap, channel, ka < depth),
            element_of_a(row1, tap, channel, ka < depth),
            element_of_a(row2, tap, channel, ka < depth),
            element_of_a(row3, tap, channel, ka < depth),
        );
        let kb = k + b_depth;
        let t = kb / params.depth;
        let kc = kb % params.depth;
        tile_b[b_depth][b_cols] = vec4(
            element_of_b(b_base, t, kc, b_col, kb < depth),
            element_of_b(b_base, t, kc, b_col + 1u, kb < depth),
            element_of_b(b_base, t, kc, b_col + 2u, kb < depth),
            element_of_b(b_base, t, kc, b_col + 3u, kb < depth),
        );
        workgroupBarrier();
        for (var d = 0u; d < DEPTH; d++) {
            let va = tile_a[d][y];
            let vb = tile_b[d][x];
            c[0] += va.x * vb;
            c[1] += va.y * vb;
            c[2] += va.z * vb;
            c[3] += va.w * vb;
        }
        workgroupBarrier();
    }
    let first = g * params.cols + col + x * 4u;
    let end = (g + 1u) * params.cols;
    store_block(c, 0u, row + y * 4u, first, params.rows, end, params.out_channels);
}
