// matmul_tile: out[b,m,n] = epilogue( sum_k A[b,m,k] * B[b,k,n] ), for GPUs
//
// Shapes    as matmul_block.
// Grid      one workgroup per tile of 64 x 64 outputs; columns first, then rows, then batch.
// Memory    two tiles of 64 x 16 elements, 8.5 KiB of workgroup memory, filled before it is read.
// Modules   operand_b: lib/b_scalar, lib/b_halves, or lib/b_computed where the epilogue has element_b.
// Accuracy  float32; products are added to the running sum in the order of k.
//
// 256 invocations; each computes 4 x 4 outputs and loads 4 elements of either tile. Loads are
// dealt out so that neighbours read neighbouring elements, whichever way an operand lies.

#import lib/index
#import lib/matmul
#import lib/block

const TILE = 64u;
const DEPTH = 16u;

// By depth, then by four rows or columns. The 17th column only spreads the memory banks.
var<workgroup> tile_a: array<array<vec4<f32>, 17>, DEPTH>;
var<workgroup> tile_b: array<array<vec4<f32>, 17>, DEPTH>;

// Where an invocation loads: which four lines, and which depth.
fn share(lane: u32, along_depth: bool) -> vec2<u32> {
    if along_depth {
        return vec2(lane / DEPTH, lane % DEPTH);
    }
    return vec2(lane % (TILE / 4u), lane / (TILE / 4u));
}

fn element_of_a(base: u32, row: u32, k: u32) -> f32 {
    if row < params.m && k < params.k {
        return a[base + row * params.a_row + k * params.a_k];
    }
    return 0.0;
}

fn element_of_b(base: u32, k: u32, col: u32) -> f32 {
    if col < params.n && k < params.k {
        return element_b(base + k * params.b_k + col * params.b_col);
    }
    return 0.0;
}

fn load_tiles(batch: u32, row: u32, col: u32, k: u32, lane: u32) {
    let p = share(lane, params.a_k == 1u);
    let r = row + p.x * 4u;
    let a_base = batch * params.a_stride;
    tile_a[p.y][p.x] = vec4(
        element_of_a(a_base, r, k + p.y),
        element_of_a(a_base, r + 1u, k + p.y),
        element_of_a(a_base, r + 2u, k + p.y),
        element_of_a(a_base, r + 3u, k + p.y),
    );
    let q = share(lane, params.b_k == 1u);
    let c = col + q.x * 4u;
    let b_base = batch * params.b_stride;
    tile_b[q.y][q.x] = vec4(
        element_of_b(b_base, k + q.y, c),
        element_of_b(b_base, k + q.y, c + 1u),
        element_of_b(b_base, k + q.y, c + 2u),
        element_of_b(b_base, k + q.y, c + 3u),
    );
}

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
    let col = tile % params.col_tiles * TILE;
    let row = tile / params.col_tiles % params.row_tiles * TILE;
    let batch = tile / params.col_tiles / params.row_tiles;
    let x = lane % 16u;
    let y = lane / 16u;

    var c = mat4x4<f32>();
    for (var k = 0u; k < params.k; k += DEPTH) {
        load_tiles(batch, row, col, k, lane);
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
    store_block(c, batch, row + y * 4u, col + x * 4u, params.m, params.n, params.n);
}
