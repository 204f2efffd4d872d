// What all factorisations bind: matrices [batch, m, n] and a row of parts for each.

#import lib/index
#import lib/number

struct Params {
    batch: u32,
    m: u32,
    n: u32,
    columns: u32,
    // Elements of the output for each matrix.
    len: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// The matrix of an invocation; at least params.batch where there is none.
fn matrix_of(group: vec3<u32>, groups: vec3<u32>, lane: u32) -> u32 {
    return linear_group(group, groups) * WG + lane;
}

fn copy_matrix(matrix: u32, to: u32) {
    let size = params.m * params.n;
    for (var i = 0u; i < size; i++) {
        out[to + i] = a[matrix * size + i];
    }
}

// What a factorisation gives that came to no end.
fn not_found(start: u32, count: u32) {
    for (var i = 0u; i < count; i++) {
        out[start + i] = not_a_number();
    }
}
