// What the kernels of attention share: operands, and the softmax that runs along the keys.
//
// A row keeps the largest score so far, `peak`, and sums that are scaled by exp(-peak): when a larger
// score comes, what was summed is scaled down. A NaN reaches every sum of its row; a row whose scores
// are all negative infinity has a sum of 0 and gives NaN, as softmax does.

struct Params {
    queries: u32,
    keys: u32,
    depth: u32,
    width: u32,
    q: vec3<u32>,
    tiles: u32,
    k: vec3<u32>,
    groups: u32,
    v: vec3<u32>,
    rest: u32,
}

@group(0) @binding(0) var<storage, read> queries: array<f32>;
@group(0) @binding(1) var<storage, read> keys: array<f32>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

#import epilogue
@group(0) @binding(3) var<storage, read_write> out: array<Out>;
#import lib/math

// Below all scores but negative infinity.
const LOWEST = -3.4028234e38;

fn element_of_q(b: u32, row: u32, d: u32) -> f32 {
    if row < params.queries && d < params.depth {
        return queries[b * params.q.x + row * params.q.y + d * params.q.z];
    }
    return 0.0;
}

fn element_of_k(b: u32, key: u32, d: u32) -> f32 {
    if key < params.keys && d < params.depth {
        return keys[b * params.k.x + key * params.k.y + d * params.k.z];
    }
    return 0.0;
}

fn element_of_v(b: u32, key: u32, col: u32) -> f32 {
    if key < params.keys && col < params.width {
        return values[b * params.v.x + key * params.v.y + col * params.v.z];
    }
    return 0.0;
}

// The score of a key that exists, else one that counts for nothing.
fn score_of(dot: f32, b: u32, row: u32, key: u32) -> f32 {
    if row < params.queries && key < params.keys {
        return score(dot, b, row, key);
    }
    return LOWEST;
}

// What a score adds to the sum of its row.
fn weight_of(score: f32, peak: f32, key: u32) -> f32 {
    if key < params.keys {
        return safe_exp(score - peak);
    }
    return 0.0;
}

// What the value of a key is weighted by.
fn share_of(weight: f32, b: u32, row: u32, key: u32) -> f32 {
    if row < params.queries && key < params.keys {
        return share(weight, b, row, key);
    }
    return 0.0;
}
