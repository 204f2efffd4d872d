// matmul_line: out[b,0,n] = epilogue( sum_k A[b,k] * B[b,k,n] ), one row, for software adapters
//
// Shapes    as matmul_block, with M = 1.
// Grid      one invocation per 8 outputs; columns first, then batch.
// Memory    no workgroup memory and no barrier.
// Prelude   WG: invocations per workgroup; B_TRANSPOSED.
// Modules   as matmul_block.
// Accuracy  float32; four products at a time are summed, then added to the running sum.

#import lib/index
#import operand_a
#import operand_b
#import lib/block_b

struct Params {
    n: u32,
    k: u32,
    a_stride: u32,
    b_stride: u32,
    col_blocks: u32,
    blocks: u32,
}

@group(1) @binding(0) var<uniform> params: Params;

#import epilogue
@group(0) @binding(2) var<storage, read_write> out: array<Out>;

fn store_four(c: vec4<f32>, batch: u32, col: u32) {
    var four = c;
    for (var j = 0u; j < 4u; j++) {
        if col + j < params.n {
            store(batch * params.n + col + j, epilogue(four[j], batch, 0u, col + j));
        }
    }
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
    let batch = block / params.col_blocks;
    let a_base = batch * params.a_stride;
    let b_base = batch * params.b_stride;
    let line = select(params.n, params.k, B_TRANSPOSED);

    var c0 = vec4(0.0);
    var c1 = vec4(0.0);
    let depth = bound(params.k, group);
    for (var k = 0u; k < depth; k += 4u) {
        let a = load_a(a_base + k, params.k - k);
        c0 += block_of_b(b_base, line, k, col, params.k, params.n) * a;
        c1 += block_of_b(b_base, line, k, col + 4u, params.k, params.n) * a;
    }
    store_four(c0, batch, col);
    store_four(c1, batch, col + 4u);
}
