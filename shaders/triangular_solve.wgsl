// triangular_solve: X with A X = B, or A^T X = B, for triangular matrices
//
// Shapes    a: [batch, n, n], of which one triangle is read; b, out: [batch, n, k].
// Grid      one invocation per column of X.
// Prelude   WG: invocations per workgroup; FORWARD: whether the first row is solved first; TRANSPOSE: whether
//           A^T stands for A; UNIT: whether the diagonal counts as ones.
// Result    sums in float32, in the order in which rows are solved.

#import lib/index

struct Params {
    columns: u32,
    n: u32,
    k: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let id = linear_group(group, groups) * WG + lane;
    if id >= params.columns {
        return;
    }
    let n = params.n;
    let matrix = id / params.k * n * n;
    let first = id / params.k * n * params.k + id % params.k;
    for (var step = 0u; step < n; step++) {
        let i = select(n - 1u - step, step, FORWARD);
        var rest = b[first + i * params.k];
        for (var known = 0u; known < step; known++) {
            let j = select(n - 1u - known, known, FORWARD);
            let at = select(i * n + j, j * n + i, TRANSPOSE);
            rest -= a[matrix + at] * out[first + j * params.k];
        }
        if !UNIT {
            rest /= a[matrix + i * n + i];
        }
        out[first + i * params.k] = rest;
    }
}
