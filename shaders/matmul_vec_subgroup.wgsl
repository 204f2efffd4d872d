// matmul_vec_subgroup: out[b,m,n] = epilogue( sum_k A[b,m,k] * B[b,k,n] ), for at most four rows, by
// subgroups
//
// Shapes    as matmul_block, with M <= 4.
// Grid      one workgroup per 8 columns of one batch element.
// Memory    partial sums of four rows for each column and subgroup, 4 KiB of workgroup memory, filled
//           before it is read.
// Modules   operand_b: lib/b_scalar, lib/b_halves, or lib/b_computed where the epilogue has element_b.
// Accuracy  float32; 32 partial sums over every 32nd k, added by pairs in a subgroup, then subgroups in
//           order.
//
// As in matmul_vec, neighbours read neighbouring elements of B. Fewer columns for each workgroup make
// more workgroups, which keep a large GPU busy with the single row of a prediction.

#import lib/index
#import lib/subgroup
#import lib/matmul
#import lib/rows_of_a

const COLS = 8u;
const SLICES = 32u;

var<workgroup> sums: array<array<vec4<f32>, COLS>, SLICES>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    subgroup: Subgroup,
) {
    let seat = take_seat(subgroup);
    let tile = linear_group(group, groups);
    if tile >= params.tiles {
        return;
    }
    let batch = tile / params.col_tiles;
    let first_col = tile % params.col_tiles * COLS;
    let along_k = params.b_k == 1u;
    let x = select(seat % COLS, seat / SLICES, along_k);
    let slice = select(seat / COLS, seat % SLICES, along_k);

    var sum = vec4(0.0);
    if first_col + x < params.n {
        let b_base = batch * params.b_stride + (first_col + x) * params.b_col;
        for (var k = slice; k < params.k; k += SLICES) {
            sum += column_of_a(batch * params.a_stride, k) * element_b(b_base + k * params.b_k);
        }
    }
    // Slices of a column are neighbours, or have its other columns between them.
    let apart = select(COLS, 1u, along_k);
    let together = clamp(subgroup_width / apart, 1u, SLICES);
    for (var pair = 1u; pair < together; pair *= 2u) {
        sum += subgroupShuffleXor(sum, pair * apart);
    }
    sums[slice / together][x] = sum;
    workgroupBarrier();

    // The first 32 invocations finish one element each.
    let row = seat / COLS;
    let at = first_col + seat % COLS;
    if row < params.m && at < params.n {
        var total = 0.0;
        for (var part = 0u; part < SLICES / together; part++) {
            total += sums[part][seat % COLS][row];
        }
        store((batch * params.m + row) * params.n + at, epilogue(total, batch, row, at));
    }
}
