// lu: L and U with P A = L U
//
// Shapes    a: [batch, m, n]; out: [batch, …] of L below U [m, n], the rows exchanged [min(m, n)], the
//           order of rows [m].
// Grid      one invocation per matrix.
// Prelude   WG: invocations per workgroup.
// Result    the row with the largest element is exchanged, the first of equal ones.

#import lib/factor

fn exchange(i: u32, j: u32) {
    let x = out[i];
    out[i] = out[j];
    out[j] = x;
}

fn factor(matrix: u32, lu: u32) {
    let m = params.m;
    let n = params.n;
    let steps = min(m, n);
    let pivots = lu + m * n;
    let order = pivots + steps;
    copy_matrix(matrix, lu);
    for (var i = 0u; i < m; i++) {
        out[order + i] = f32(i);
    }
    for (var j = 0u; j < steps; j++) {
        var pivot = j;
        for (var i = j + 1u; i < m; i++) {
            if abs(out[lu + i * n + j]) > abs(out[lu + pivot * n + j]) {
                pivot = i;
            }
        }
        out[pivots + j] = f32(pivot);
        exchange(order + j, order + pivot);
        for (var k = 0u; k < n; k++) {
            exchange(lu + j * n + k, lu + pivot * n + k);
        }
        let diagonal = out[lu + j * n + j];
        if diagonal == 0.0 {
            continue;
        }
        for (var i = j + 1u; i < m; i++) {
            let part = out[lu + i * n + j] / diagonal;
            out[lu + i * n + j] = part;
            for (var k = j + 1u; k < n; k++) {
                out[lu + i * n + k] -= part * out[lu + j * n + k];
            }
        }
    }
}

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let matrix = matrix_of(group, groups, lane);
    if matrix < params.batch {
        factor(matrix, matrix * params.len);
    }
}
