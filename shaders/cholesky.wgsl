// cholesky: L with L L^T = A for symmetric matrices
//
// Shapes    a: [batch, n, n], of which the lower triangle is read; out: L, [batch, n * n].
// Grid      one invocation per matrix.
// Prelude   WG: invocations per workgroup.
// Result    sums in float32, in order; NaN where A is not positive definite.

#import lib/factor

fn factor(matrix: u32, l: u32) {
    let n = params.n;
    copy_matrix(matrix, l);
    for (var j = 0u; j < n; j++) {
        for (var i = 0u; i < j; i++) {
            out[l + i * n + j] = 0.0;
        }
        for (var i = j; i < n; i++) {
            var rest = out[l + i * n + j];
            for (var k = 0u; k < j; k++) {
                rest -= out[l + i * n + k] * out[l + j * n + k];
            }
            if i > j {
                rest /= out[l + j * n + j];
            } else if is_finite(rest) && rest > 0.0 {
                rest = sqrt(rest);
            } else {
                not_found(l, n * n);
                return;
            }
            out[l + i * n + j] = rest;
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
