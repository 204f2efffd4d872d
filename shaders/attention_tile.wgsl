// attention_tile: out[b,t,v] = epilogue( sum_s share(softmax_s(score(Q[b,t]·K[b,s]))) * V[b,s,v] )
//
// Shapes    Q: B heads of T queries of D elements; K: of S keys; V: of S values of up to 64 * BLOCKS
//           elements; by strides. out: [B, T, V] row-major.
// Grid      one workgroup per 64 queries of a head.
// Memory    tiles of 64 queries and 32 keys of 16 elements, and of 64 x 32 weights, 14.6 KiB of
//           workgroup memory, filled before it is read.
// Prelude   BLOCKS: blocks of 64 columns of V, at most 4.
// Modules   epilogue: also fn score and fn share, with the arguments of fn epilogue.
// Accuracy  float32; keys are added in tiles of 32, in order.
//
// 256 invocations. Each computes 4 queries x 2 keys of the scores, then 4 queries x 4 columns of each
// block of the result. Queries and keys pass through workgroup memory, weights are exchanged there;
// values come from the cache, where neighbours read neighbouring columns.

#import lib/index
#import lib/attention

const ROWS = 64u;
const KEYS = 32u;
const DEPTH = 16u;

// By depth, then by four queries, two keys. Places behind the last only spread the memory banks.
var<workgroup> tile_q: array<array<vec4<f32>, 17>, DEPTH>;
var<workgroup> tile_k: array<array<vec2<f32>, 17>, DEPTH>;
// By key, then by four queries.
var<workgroup> weights: array<array<vec4<f32>, 16>, KEYS>;

fn load_tiles(b: u32, row: u32, key: u32, d: u32, lane: u32) {
    let x = lane / DEPTH;
    let y = lane % DEPTH;
    let r = row + x * 4u;
    tile_q[y][x] = vec4(
        element_of_q(b, r, d + y),
        element_of_q(b, r + 1u, d + y),
        element_of_q(b, r + 2u, d + y),
        element_of_q(b, r + 3u, d + y),
    );
    let k = key + x * 2u;
    tile_k[y][x] = vec2(element_of_k(b, k, d + y), element_of_k(b, k + 1u, d + y));
}

fn scores_of(dots: vec4<f32>, b: u32, row: u32, key: u32) -> vec4<f32> {
    return vec4(
        score_of(dots.x, b, row, key),
        score_of(dots.y, b, row + 1u, key),
        score_of(dots.z, b, row + 2u, key),
        score_of(dots.w, b, row + 3u, key),
    );
}

fn weights_of(scores: vec4<f32>, peak: vec4<f32>, key: u32) -> vec4<f32> {
    return vec4(
        weight_of(scores.x, peak.x, key),
        weight_of(scores.y, peak.y, key),
        weight_of(scores.z, peak.z, key),
        weight_of(scores.w, peak.w, key),
    );
}

fn shares_of(weights: vec4<f32>, b: u32, row: u32, key: u32) -> vec4<f32> {
    return vec4(
        share_of(weights.x, b, row, key),
        share_of(weights.y, b, row + 1u, key),
        share_of(weights.z, b, row + 2u, key),
        share_of(weights.w, b, row + 3u, key),
    );
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let tile = linear_group(group, groups);
    if tile >= params.groups {
        return;
    }
    let b = tile / params.tiles;
    let first_row = tile % params.tiles * ROWS;
    let x = lane % 16u;
    let y = lane / 16u;
    let row = first_row + y * 4u;

    var peak = vec4(LOWEST);
    // Of this invocation's keys only.
    var sum = vec4(0.0);
    // Four queries for each of four columns 16 apart.
    var c: array<mat4x4<f32>, BLOCKS>;
    for (var first_key = 0u; first_key < params.keys; first_key += KEYS) {
        var d0 = vec4(0.0);
        var d1 = vec4(0.0);
        for (var d = 0u; d < params.depth; d += DEPTH) {
            load_tiles(b, first_row, first_key, d, lane);
            workgroupBarrier();
            for (var i = 0u; i < DEPTH; i++) {
                let q = tile_q[i][y];
                let k = tile_k[i][x];
                d0 += q * k.x;
                d1 += q * k.y;
            }
            workgroupBarrier();
        }
        let key = first_key + x * 2u;
        let s0 = scores_of(d0, b, row, key);
        let s1 = scores_of(d1, b, row, key + 1u);

        // The queries' place is free until the next tile.
        tile_q[x][y] = max(s0, s1);
        workgroupBarrier();
        var next = peak;
        for (var i = 0u; i < 16u; i++) {
            next = max(next, tile_q[i][y]);
        }
        let scale = weights_of(peak, next, 0u);
        peak = next;
        let w0 = weights_of(s0, peak, key);
        let w1 = weights_of(s1, peak, key + 1u);
        sum = sum * scale + w0 + w1;
        weights[x * 2u][y] = shares_of(w0, b, row, key);
        weights[x * 2u + 1u][y] = shares_of(w1, b, row, key + 1u);
        workgroupBarrier();

        let end = min(KEYS, params.keys - first_key);
        for (var block = 0u; block < BLOCKS; block++) {
            let col = block * 64u + x;
            var m = c[block];
            m[0] *= scale;
            m[1] *= scale;
            m[2] *= scale;
            m[3] *= scale;
            for (var i = 0u; i < end; i++) {
                let w = weights[i][y];
                m[0] += w * element_of_v(b, first_key + i, col);
                m[1] += w * element_of_v(b, first_key + i, col + 16u);
                m[2] += w * element_of_v(b, first_key + i, col + 32u);
                m[3] += w * element_of_v(b, first_key + i, col + 48u);
            }
            c[block] = m;
        }
    }

    tile_q[x][y] = sum;
    workgroupBarrier();
    var total = vec4(0.0);
    for (var i = 0u; i < 16u; i++) {
        total += tile_q[i][y];
    }
    for (var block = 0u; block < BLOCKS; block++) {
        for (var j = 0u; j < 4u; j++) {
            let col = block * 64u + j * 16u + x;
            for (var i = 0u; i < 4u; i++) {
                if row + i < params.queries && col < params.width {
                    let at = (b * params.queries + row + i) * params.width + col;
                    store(at, epilogue(c[block][j][i] / total[i], b, row + i, col));
                }
            }
        }
    }
}
