// eigh: V and w with A V = V diag(w) for symmetric matrices
//
// Shapes    a: [batch, n, n], of which the lower triangle is read; out: [batch, …] of V [n, n], w [n] in
//           ascending order, and room to work in [n + 2, n].
// Grid      one invocation per matrix.
// Prelude   WG: invocations per workgroup.
// Result    the signs are LAPACK's; NaN where the steps do not converge.

#import lib/factor
#import lib/householder

// Where the matrix of this invocation has its parts.
var<private> z: u32;
var<private> d: u32;
var<private> e: u32;
var<private> steps: u32;

fn factor(matrix: u32, start: u32) {
    let n = params.n;
    z = start;
    d = z + n * n;
    e = d + n;
    steps = 0u;
    tridiagonalise(matrix, e + n, e + 2u * n);
    if diagonalise() {
        sort();
    } else {
        not_found(z, n * n + n);
    }
}

// Reflections to a tridiagonal matrix, and their product as the first vectors.
fn tridiagonalise(matrix: u32, taus: u32, t: u32) {
    let n = params.n;
    copy_matrix(matrix, t);
    for (var i = 0u; i + 1u < n; i++) {
        let v = t + (i + 1u) * n + i;
        let tau = reflect_line(v, n, n - i - 1u);
        out[taus + i] = tau;
        out[e + i] = out[v];
        out[v] = 1.0;
        update(t + (i + 1u) * n + i + 1u, v, tau, n - i - 1u);
    }
    for (var i = 0u; i < n; i++) {
        out[d + i] = out[t + i * n + i];
    }
    set_identity(n, Lines(z, n, 1u, n));
    for (var i = n - 1u; i > 0u; i--) {
        let v = t + i * n + i - 1u;
        apply_reflection(out[taus + i - 1u], n - i, v, n, Lines(z + i * n, n, 1u, n));
    }
}

// Element (r, c) of a symmetric matrix of which the lower triangle is stored.
fn symmetric(corner: u32, r: u32, c: u32) -> u32 {
    return corner + max(r, c) * params.n + min(r, c);
}

// A - v w^T - w v^T, where w is made where the diagonal will be.
fn update(corner: u32, v: u32, tau: f32, len: u32) {
    let n = params.n;
    var dot = 0.0;
    for (var r = 0u; r < len; r++) {
        var sum = 0.0;
        for (var c = 0u; c < len; c++) {
            sum += out[symmetric(corner, r, c)] * out[v + c * n];
        }
        out[d + r] = tau * sum;
        dot += tau * sum * out[v + r * n];
    }
    for (var r = 0u; r < len; r++) {
        out[d + r] -= 0.5 * tau * dot * out[v + r * n];
    }
    for (var r = 0u; r < len; r++) {
        for (var c = 0u; c <= r; c++) {
            let change = out[v + r * n] * out[d + c] + out[d + r] * out[v + c * n];
            out[symmetric(corner, r, c)] -= change;
        }
    }
}

fn is_small(i: u32) -> bool {
    let x = out[e + i];
    return x * x <= EPSILON * EPSILON * abs(out[d + i]) * abs(out[d + i + 1u]) + TINY;
}

fn turn_vectors(i: u32, c: f32, s: f32) {
    turn(z, params.n, 1u, params.n, i, c, s);
}

fn has_steps() -> bool {
    return steps < 30u * params.n;
}

fn diagonalise() -> bool {
    let last = params.n - 1u;
    var start = 0u;
    while start <= last {
        var end = start;
        while end < last {
            let limit = sqrt(abs(out[d + end])) * sqrt(abs(out[d + end + 1u])) * EPSILON;
            if abs(out[e + end]) <= limit {
                out[e + end] = 0.0;
                break;
            }
            end++;
        }
        if abs(out[d + end]) < abs(out[d + start]) {
            upwards(end, start);
        } else {
            downwards(start, end);
        }
        if !has_steps() {
            return false;
        }
        start = end + 1u;
    }
    return true;
}

// The two eigenvalues of rows i and i + 1.
fn two(i: u32) {
    let found = eigen2(out[d + i], out[e + i], out[d + i + 1u]);
    turn_vectors(i, found.z, found.w);
    out[d + i] = found.x;
    out[d + i + 1u] = found.y;
    out[e + i] = 0.0;
}

// The first element of a step from row m: d[m] less the shift at l.
fn shifted(l: u32, next: u32, at: u32, m: u32) -> f32 {
    let p = out[d + l];
    let g = (out[d + next] - p) / (2.0 * out[e + at]);
    return out[d + m] - p + out[e + at] / (g + with_sign(hypotenuse(g, 1.0), g));
}

fn downwards(first: u32, end: u32) {
    var l = first;
    while l <= end && has_steps() {
        var m = l;
        while m < end && !is_small(m) {
            m++;
        }
        if m < end {
            out[e + m] = 0.0;
        }
        if m == l {
            l++;
        } else if m == l + 1u {
            two(l);
            l += 2u;
        } else {
            steps++;
            ql_step(l, m);
        }
    }
}

fn ql_step(l: u32, m: u32) {
    var g = shifted(l, l + 1u, l, m);
    var s = 1.0;
    var c = 1.0;
    var p = 0.0;
    for (var next = m; next > l; next--) {
        let i = next - 1u;
        let f = s * out[e + i];
        let b = c * out[e + i];
        let turned = rotation(g, f);
        c = turned.x;
        s = turned.y;
        if next != m {
            out[e + next] = turned.z;
        }
        g = out[d + next] - p;
        let r = (out[d + i] - g) * s + 2.0 * c * b;
        p = s * r;
        out[d + next] = g + p;
        g = c * r - b;
        turn_vectors(i, c, -s);
    }
    out[d + l] -= p;
    out[e + l] = g;
}

fn upwards(first: u32, end: u32) {
    var l = first;
    while has_steps() {
        var m = l;
        while m > end && !is_small(m - 1u) {
            m--;
        }
        if m > end {
            out[e + m - 1u] = 0.0;
        }
        var done = 1u;
        if m + 1u == l {
            two(m);
            done = 2u;
        } else if m != l {
            steps++;
            qr_step(l, m);
            done = 0u;
        }
        if l < end + done {
            return;
        }
        l -= done;
    }
}

fn qr_step(l: u32, m: u32) {
    var g = shifted(l, l - 1u, l - 1u, m);
    var s = 1.0;
    var c = 1.0;
    var p = 0.0;
    for (var i = m; i < l; i++) {
        let f = s * out[e + i];
        let b = c * out[e + i];
        let turned = rotation(g, f);
        c = turned.x;
        s = turned.y;
        if i != m {
            out[e + i - 1u] = turned.z;
        }
        g = out[d + i] - p;
        let r = (out[d + i + 1u] - g) * s + 2.0 * c * b;
        p = s * r;
        out[d + i] = g + p;
        g = c * r - b;
        turn_vectors(i, c, s);
    }
    out[d + l] -= p;
    out[e + l - 1u] = g;
}

// Values in ascending order, vectors with them.
fn sort() {
    let n = params.n;
    for (var i = 0u; i < n; i++) {
        var least = i;
        for (var j = i + 1u; j < n; j++) {
            if out[d + j] < out[d + least] {
                least = j;
            }
        }
        if least != i {
            let value = out[d + i];
            out[d + i] = out[d + least];
            out[d + least] = value;
            for (var row = 0u; row < n; row++) {
                let x = out[z + row * n + i];
                out[z + row * n + i] = out[z + row * n + least];
                out[z + row * n + least] = x;
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
