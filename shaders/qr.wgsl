// qr: Q and R with Q R = A, by reflections
//
// Shapes    a: [batch, m, n]; out: [batch, …] of R above reflections [m, n], their tau [min(m, n)], Q
//           [m, columns].
// Grid      one invocation per matrix.
// Prelude   WG: invocations per workgroup.
// Result    the signs are LAPACK's.

#import lib/factor
#import lib/householder

fn factor(matrix: u32, r: u32) {
    let m = params.m;
    let n = params.n;
    let steps = min(m, n);
    let taus = r + m * n;
    let columns = Lines(taus + steps, params.columns, 1u, params.columns);
    copy_matrix(matrix, r);
    for (var i = 0u; i < steps; i++) {
        let v = r + i * n + i;
        let tau = reflect_line(v, n, m - i);
        out[taus + i] = tau;
        apply_reflection(tau, m - i, v, n, Lines(v + 1u, n, 1u, n - i - 1u));
    }
    set_identity(m, columns);
    for (var i = steps; i > 0u; i--) {
        let row = i - 1u;
        var lines = columns;
        lines.start += row * columns.along;
        apply_reflection(out[taus + row], m - row, r + row * n + row, n, lines);
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
