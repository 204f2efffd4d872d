// matmul_block: out[b,m,n] = epilogue( sum_k A[b,m,k] * B[b,k,n] ), for software adapters
//
// Shapes    A: [B|1, M, K], or [B|1, K, M] transposed; B: [B|1, K, N], or [B|1, N, K] transposed;
//           out: [B, M, N]; all row-major. A batch stride of 0 repeats an operand.
// Grid      one invocation per block of 8 x 8 outputs; columns first, then rows, then batch.
// Memory    no workgroup memory and no barrier: on a processor they cost more than they save.
// Prelude   WG: invocations per workgroup; A_TRANSPOSED, B_TRANSPOSED.
// Modules   operand_a, operand_b: lib/[ab]_vec4 where the extents allow it, else lib/[ab]_scalar;
//           operand_b: lib/b_halves[_vec4] for floats of 16 bits, lib/b_computed where the
//           epilogue has element_b.
// Accuracy  float32; four products at a time are summed, then added to the running sum.

#import lib/index
#import operand_a
#import operand_b
#import lib/block_b

struct Params {
    m: u32,
    n: u32,
    k: u32,
    a_stride: u32,
    b_stride: u32,
    row_blocks: u32,
    col_blocks: u32,
    blocks: u32,
}

@group(1) @binding(0) var<uniform> params: Params;

#import epilogue
@group(0) @binding(2) var<storage, read_write> out: array<Out>;
#import lib/block

// Rows row..row + 3 of A, columns k..k + 3. Rows beyond the last repeat it; they are not stored.
fn block_of_a(base: u32, row: u32, k: u32) -> mat4x4<f32> {
    if A_TRANSPOSED {
        let left = params.m - min(row, params.m);
        let i = base + k * params.m + min(row, params.m - 1u);
        return transpose(mat4x4(
            load_a(i, select(0u, left, k < params.k)),
            load_a(i + params.m, select(0u, left, k + 1u < params.k)),
            load_a(i + 2u * params.m, select(0u, left, k + 2u < params.k)),
            load_a(i + 3u * params.m, select(0u, left, k + 3u < params.k)),
        ));
    }
    let left = params.k - k;
    let last = params.m - 1u;
    return mat4x4(
        load_a(base + min(row, last) * params.k + k, left),
        load_a(base + min(row + 1u, last) * params.k + k, left),
        load_a(base + min(row + 2u, last) * params.k + k, left),
        load_a(base + min(row + 3u, last) * params.k + k, left),
    );
}

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let block = linear_group(group, groups) * WG + lane;
    if block >= params.blocks {
        return;
    }
    let col = block % params.col_blocks * 8u;
    let row = block / params.col_blocks % params.row_blocks * 8u;
    let batch = block / params.col_blocks / params.row_blocks;
    let a_base = batch * params.a_stride;
    let b_base = batch * params.b_stride;
    let line = select(params.n, params.k, B_TRANSPOSED);

    var c00 = mat4x4<f32>();
    var c01 = mat4x4<f32>();
    var c10 = mat4x4<f32>();
    var c11 = mat4x4<f32>();
    let depth = bound(params.k, group);
    for (var k = 0u; k < depth; k += 4u) {
        let a0 = block_of_a(a_base, row, k);
        let a1 = block_of_a(a_base, row + 4u, k);
        let b0 = block_of_b(b_base, line, k, col, params.k, params.n);
        let b1 = block_of_b(b_base, line, k, col + 4u, params.k, params.n);
        c00 += b0 * a0;
        c01 += b1 * a0;
        c10 += b0 * a1;
        c11 += b1 * a1;
    }
    store_block(c00, batch, row, col, params.m, params.n, params.n);
    store_block(c01, batch, row, col + 4u, params.m, params.n, params.n);
    store_block(c10, batch, row + 4u, col, params.m, params.n, params.n);
    store_block(c11, batch, row + 4u, col + 4u, params.m, params.n, params.n);
}
