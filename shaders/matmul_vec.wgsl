// matmul_vec: out[b,m,n] = epilogue( sum_k A[b,m,k] * B[b,k,n] ), for at most four rows
//
// Shapes    as matmul_block, with M <= 4.
// Grid      one workgroup per 32 columns of one batch element.
// Memory    32 x 8 partial sums of four rows, 4 KiB of workgroup memory, filled before it is read.
// Modules   operand_b: lib/b_scalar, lib/b_halves, or lib/b_computed where the epilogue has element_b.
// Accuracy  float32; eight partial sums over every eighth k, then added in order.
//
// B is read once, which is all that such a product costs: neighbours read neighbouring elements of
// B, along its columns or along k, as it lies in memory.

#import lib/index
#import lib/matmul
#import lib/rows_of_a

const COLS = 32u;
const SLICES = 8u;

var<workgroup> sums: array<array<vec4<f32>, COLS>, SLICES>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let tile = linear_group(group, groups);
    if tile >= params.tiles {
        return;
    }
    let batch = tile / params.col_tiles;
    let along_k = params.b_k == 1u;
    let x = select(lane % COLS, lane / SLICES, along_k);
    let slice = select(lane / COLS, lane % SLICES, along_k);
    let col = tile % params.col_tiles * COLS + x;

    var sum = vec4(0.0);
    if col < params.n {
        let b_base = batch * params.b_stride + col * params.b_col;
        for (var k = slice; k < params.k; k += SLICES) {
            sum += column_of_a(batch * params.a_stride, k) * element_b(b_base + k * params.b_k);
        }
    }
    sums[slice][x] = sum;
    workgroupBarrier();

    // The first 128 invocations finish one element each.
    let row = lane / COLS;
    let at = tile % params.col_tiles * COLS + lane % COLS;
    if row < params.m && at < params.n {
        var total = 0.0;
        for (var s = 0u; s < SLICES; s++) {
            total += sums[s][lane % COLS][row];
        }
        store((batch * params.m + row) * params.n + at, epilogue(total, batch, row, at));
    }
}
