// matmul_matrix: out[b,m,n] = epilogue( sum_k A[b,m,k] * B[b,k,n] ), by a GPU's matrix units
//
// Shapes    as matmul_block; every element of A and B is a number of float16.
// Grid      one workgroup per tile of 64 x 64 outputs; columns first, then rows, then batch.
// Memory    two tiles of 64 x 32 float16 and four fragments of 16 x 16 float32, 14 KiB of workgroup
//           memory, filled before it is read.
// Prelude   the language's extensions; SUBGROUP: invocations of every subgroup of the adapter.
// Modules   operand_b: lib/b_scalar, lib/b_halves, or lib/b_computed where the epilogue has element_b.
// Accuracy  products of float16 are exact; float32 sums in an order that the driver has fixed.
//
// Four subgroups, each of which computes 2 x 2 fragments of 16 x 16 outputs.

#import lib/index
#import lib/subgroup
#import lib/matmul

const TILE = 64u;
const DEPTH = 32u;
const SIDE = 16u;
const SUBGROUPS = 4u;
const WG = SUBGROUPS * SUBGROUP;
// From one line of a tile to the next. The last elements only spread the memory banks.
const LINE_A = DEPTH + 8u;
const LINE_B = TILE + 8u;

var<workgroup> tile_a: array<f16, TILE * LINE_A>;
var<workgroup> tile_b: array<f16, DEPTH * LINE_B>;
var<workgroup> fragments: array<f32, SUBGROUPS * SIDE * SIDE>;

// A tile's line and column of an element, so that neighbours read neighbours, as an operand lies.
fn place(i: u32, width: u32, height: u32, along_lines: bool) -> vec2<u32> {
    return select(vec2(i % height, i / height), vec2(i / width, i % width), along_lines);
}

fn load_tiles(batch: u32, row: u32, rows: u32, col: u32, k: u32, seat: u32) {
    for (var i = seat; i < TILE * DEPTH; i += WG) {
        let p = place(i, DEPTH, TILE, params.a_k == 1u);
        var x = 0.0;
        if row + p.x < rows && k + p.y < params.k {
            x = a[batch * params.a_stride + (row + p.x) * params.a_row + (k + p.y) * params.a_k];
        }
        tile_a[p.x * LINE_A + p.y] = f16(x);
        let q = place(i, TILE, DEPTH, params.b_k != 1u);
        var y = 0.0;
        if rows > 0u && col + q.y < params.n && k + q.x < params.k {
            y = element_b(batch * params.b_stride + (k + q.x) * params.b_k + (col + q.y) * params.b_col);
        }
        tile_b[q.x * LINE_B + q.y] = f16(y);
    }
}

// Stores a subgroup's fragment, which lies at `first` of `fragments`.
fn store_fragment(first: u32, lane: u32, batch: u32, row: u32, rows: u32, col: u32) {
    for (var i = lane; i < SIDE * SIDE; i += SUBGROUP) {
        let r = row + i / SIDE;
        let c = col + i % SIDE;
        if r < rows && c < params.n {
            let total = fragments[first + i];
            store((batch * params.m + r) * params.n + c, epilogue(total, batch, r, c));
        }
    }
}

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    subgroup: Subgroup,
) {
    let seat = take_seat(subgroup);
    let tile = linear_group(group, groups);
    // Every invocation comes to every fragment: behind the last tile there are no rows.
    let rows = select(0u, params.m, tile < params.tiles);
    let col = tile % params.col_tiles * TILE;
    let row = tile / params.col_tiles % params.row_tiles * TILE;
    let batch = tile / params.col_tiles / params.row_tiles;
    let lane = seat % SUBGROUP;
    let part = seat / SUBGROUP;
    let y = part / 2u * 2u * SIDE;
    let x = part % 2u * 2u * SIDE;

    var c00 = coop_mat16x16<f32, C>();
    var c01 = coop_mat16x16<f32, C>();
    var c10 = coop_mat16x16<f32, C>();
    var c11 = coop_mat16x16<f32, C>();
    for (var k = 0u; k < params.k; k += DEPTH) {
        load_tiles(batch, row, rows, col, k, seat);
        workgroupBarrier();
        for (var d = 0u; d < DEPTH; d += SIDE) {
            let a0 = coopLoadT<coop_mat16x16<f16, A>>(&tile_a[y * LINE_A + d], LINE_A);
            let a1 = coopLoadT<coop_mat16x16<f16, A>>(&tile_a[(y + SIDE) * LINE_A + d], LINE_A);
            let b0 = coopLoadT<coop_mat16x16<f16, B>>(&tile_b[d * LINE_B + x], LINE_B);
            let b1 = coopLoadT<coop_mat16x16<f16, B>>(&tile_b[d * LINE_B + x + SIDE], LINE_B);
            c00 = coopMultiplyAdd(a0, b0, c00);
            c01 = coopMultiplyAdd(a0, b1, c01);
            c10 = coopMultiplyAdd(a1, b0, c10);
            c11 = coopMultiplyAdd(a1, b1, c11);
        }
        workgroupBarrier();
    }

    let first = part * SIDE * SIDE;
    coopStoreT(c00, &fragments[first], SIDE);
    workgroupBarrier();
    store_fragment(first, lane, batch, row + y, rows, col + x);
    workgroupBarrier();
    coopStoreT(c01, &fragments[first], SIDE);
    workgroupBarrier();
    store_fragment(first, lane, batch, row + y, rows, col + x + SIDE);
    workgroupBarrier();
    coopStoreT(c10, &fragments[first], SIDE);
    workgroupBarrier();
    store_fragment(first, lane, batch, row + y + SIDE, rows, col + x);
    workgroupBarrier();
    coopStoreT(c11, &fragments[first], SIDE);
    workgroupBarrier();
    store_fragment(first, lane, batch, row + y + SIDE, rows, col + x + SIDE);
}
