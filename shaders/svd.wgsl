// svd: U, s and V^T with A = U diag(s) V^T
//
// Shapes    a: [batch, m, n] with m >= n; out: [batch, …] of s [n] in descending order, U [m, columns],
//           V^T [n, n], and room to work in [m + 3, n]. Without columns there is neither U nor V^T.
// Grid      one invocation per matrix.
// Prelude   WG: invocations per workgroup.
// Result    the signs are LAPACK's; NaN where the sweeps do not converge.

#import lib/factor
#import lib/householder
#import lib/singular

// Where the matrix of this invocation has its parts.
var<private> d: u32;
var<private> u: u32;
var<private> v: u32;
var<private> e: u32;

fn factor(matrix: u32, start: u32) {
    let n = params.n;
    d = start;
    u = d + n;
    v = u + params.m * params.columns;
    e = v + select(n * n, 0u, params.columns == 0u);
    bidiagonalise(matrix, e + n, e + 3u * n);
    if diagonalise() {
        finish();
    } else {
        not_found(d, e - d);
    }
}

// Reflections to a bidiagonal matrix, and their products as the first vectors.
fn bidiagonalise(matrix: u32, taus: u32, b: u32) {
    let m = params.m;
    let n = params.n;
    copy_matrix(matrix, b);
    for (var i = 0u; i < n; i++) {
        let at = b + i * n + i;
        let left = reflect_line(at, n, m - i);
        out[taus + i] = left;
        out[d + i] = out[at];
        apply_reflection(left, m - i, at, n, Lines(at + 1u, n, 1u, n - i - 1u));
        out[e + i] = 0.0;
        if i + 1u < n {
            let right = reflect_line(at + 1u, 1u, n - i - 1u);
            out[taus + n + i] = right;
            out[e + i] = out[at + 1u];
            let rest = Lines(at + n + 1u, 1u, n, m - i - 1u);
            apply_reflection(right, n - i - 1u, at + 1u, 1u, rest);
        }
    }
    if params.columns == 0u {
        return;
    }
    let columns = params.columns;
    set_identity(m, Lines(u, columns, 1u, columns));
    set_identity(n, Lines(v, n, 1u, n));
    for (var next = n; next > 0u; next--) {
        let i = next - 1u;
        let at = b + i * n + i;
        apply_reflection(out[taus + i], m - i, at, n, Lines(u + i * columns, columns, 1u, columns));
        if next < n {
            let rows = Lines(v + next, 1u, n, n);
            apply_reflection(out[taus + n + i], n - next, at + 1u, 1u, rows);
        }
    }
}

fn turn_vectors(i: u32, right: vec2<f32>, left: vec2<f32>) {
    if params.columns > 0u {
        turn(v, 1u, params.n, params.n, i, right.x, right.y);
        turn(u, params.columns, 1u, params.m, i, left.x, left.y);
    }
}

// Below it an element of e counts as zero.
fn threshold_of(tolerance: f32) -> f32 {
    var mu = abs(out[d]);
    var least = mu;
    for (var i = 1u; i < params.n; i++) {
        mu = abs(out[d + i]) * (mu / (mu + abs(out[e + i - 1u])));
        least = min(least, mu);
    }
    return max(tolerance * least / sqrt(f32(params.n)), 6.0 * f32(params.n * params.n) * TINY);
}

const NOWHERE: u32 = 0xffffffffu;

fn diagonalise() -> bool {
    let n = params.n;
    // EPSILON to the power -1/8 lies within LAPACK's bounds of 10 and 100, below them in float32.
    let tolerance = 10.0 * EPSILON;
    let threshold = threshold_of(tolerance);
    var old_l = NOWHERE;
    var old_m = 0u;
    var down = true;
    var m = n - 1u;
    for (var sweep = 0u; sweep < 6u * n * n + 2u * n; sweep++) {
        // The last block that is not diagonal, and its largest element.
        var l = m;
        var largest = 0.0;
        while m > 0u {
            largest = abs(out[d + m]);
            l = m;
            while l > 0u && abs(out[e + l - 1u]) > threshold {
                l--;
                largest = max(largest, max(abs(out[d + l]), abs(out[e + l])));
            }
            if l > 0u {
                out[e + l - 1u] = 0.0;
            }
            if l < m {
                break;
            }
            m--;
        }
        if m == 0u {
            return true;
        }
        if l + 1u == m {
            let found = singular2(out[d + l], out[e + l], out[d + m]);
            out[d + l] = found.large;
            out[d + m] = found.small;
            out[e + l] = 0.0;
            turn_vectors(l, found.right, found.left);
            if m < 2u {
                return true;
            }
            m -= 2u;
            continue;
        }
        if old_l == NOWHERE || l > old_m || m < old_l {
            down = abs(out[d + l]) >= abs(out[d + m]);
        }
        let least = least_of(l, m, down, tolerance);
        if least < 0.0 {
            continue;
        }
        old_l = l;
        old_m = m;
        let shift = shift_of(l, m, down, least / largest, tolerance);
        var last = l;
        if down {
            chase_down(l, m, shift);
            last = m - 1u;
        } else {
            chase_up(l, m, shift);
        }
        if abs(out[e + last]) <= threshold {
            out[e + last] = 0.0;
        }
    }
    return false;
}

// A lower bound of the singular values of a block; -1 where an element of e was found to be small
// beside it, and is zero now.
fn least_of(l: u32, m: u32, down: bool, tolerance: f32) -> f32 {
    let last = select(l, m - 1u, down);
    if abs(out[e + last]) <= tolerance * abs(out[d + select(l, m, down)]) {
        out[e + last] = 0.0;
        return -1.0;
    }
    var mu = abs(out[d + select(m, l, down)]);
    var least = mu;
    for (var k = 0u; k < m - l; k++) {
        let i = select(m - 1u - k, l + k, down);
        if abs(out[e + i]) <= tolerance * mu {
            out[e + i] = 0.0;
            return -1.0;
        }
        let next = select(i, i + 1u, down);
        mu = abs(out[d + next]) * (mu / (mu + abs(out[e + i])));
        least = min(least, mu);
    }
    return least;
}

// The shift of a sweep; zero where a shifted one would lose small singular values.
fn shift_of(l: u32, m: u32, down: bool, ratio: f32, tolerance: f32) -> f32 {
    if f32(params.n) * tolerance * ratio <= max(EPSILON, 0.01 * tolerance) {
        return 0.0;
    }
    let i = select(l, m - 1u, down);
    let shift = smaller2(out[d + i], out[e + i], out[d + i + 1u]);
    let first = abs(out[d + select(m, l, down)]);
    if first > 0.0 && (shift / first) * (shift / first) < EPSILON {
        return 0.0;
    }
    return shift;
}

// The first element of a shifted sweep.
fn shifted(x: f32, shift: f32) -> f32 {
    return (abs(x) - shift) * (with_sign(1.0, x) + shift / x);
}

fn chase_down(l: u32, m: u32, shift: f32) {
    if shift == 0.0 {
        chase_down_unshifted(l, m);
        return;
    }
    var f = shifted(out[d + l], shift);
    var g = out[e + l];
    for (var i = l; i < m; i++) {
        let right = rotation(f, g);
        if i > l {
            out[e + i - 1u] = right.z;
        }
        f = right.x * out[d + i] + right.y * out[e + i];
        out[e + i] = right.x * out[e + i] - right.y * out[d + i];
        g = right.y * out[d + i + 1u];
        out[d + i + 1u] *= right.x;
        let left = rotation(f, g);
        out[d + i] = left.z;
        f = left.x * out[e + i] + left.y * out[d + i + 1u];
        out[d + i + 1u] = left.x * out[d + i + 1u] - left.y * out[e + i];
        if i + 1u < m {
            g = left.y * out[e + i + 1u];
            out[e + i + 1u] *= left.x;
        }
        turn_vectors(i, right.xy, left.xy);
    }
    out[e + m - 1u] = f;
}

fn chase_down_unshifted(l: u32, m: u32) {
    var c = 1.0;
    var old = vec3(1.0, 0.0, 0.0);
    for (var i = l; i < m; i++) {
        let right = rotation(out[d + i] * c, out[e + i]);
        c = right.x;
        if i > l {
            out[e + i - 1u] = old.y * right.z;
        }
        old = rotation(old.x * right.z, out[d + i + 1u] * right.y);
        out[d + i] = old.z;
        turn_vectors(i, right.xy, old.xy);
    }
    let h = out[d + m] * c;
    out[d + m] = h * old.x;
    out[e + m - 1u] = h * old.y;
}

fn chase_up(l: u32, m: u32, shift: f32) {
    if shift == 0.0 {
        chase_up_unshifted(l, m);
        return;
    }
    var f = shifted(out[d + m], shift);
    var g = out[e + m - 1u];
    for (var i = m; i > l; i--) {
        let right = rotation(f, g);
        if i < m {
            out[e + i] = right.z;
        }
        f = right.x * out[d + i] + right.y * out[e + i - 1u];
        out[e + i - 1u] = right.x * out[e + i - 1u] - right.y * out[d + i];
        g = right.y * out[d + i - 1u];
        out[d + i - 1u] *= right.x;
        let left = rotation(f, g);
        out[d + i] = left.z;
        f = left.x * out[e + i - 1u] + left.y * out[d + i - 1u];
        out[d + i - 1u] = left.x * out[d + i - 1u] - left.y * out[e + i - 1u];
        if i > l + 1u {
            g = left.y * out[e + i - 2u];
            out[e + i - 2u] *= left.x;
        }
        turn_vectors(i - 1u, vec2(left.x, -left.y), vec2(right.x, -right.y));
    }
    out[e + l] = f;
}

fn chase_up_unshifted(l: u32, m: u32) {
    var c = 1.0;
    var old = vec3(1.0, 0.0, 0.0);
    for (var i = m; i > l; i--) {
        let right = rotation(out[d + i] * c, out[e + i - 1u]);
        c = right.x;
        if i < m {
            out[e + i] = old.y * right.z;
        }
        old = rotation(old.x * right.z, out[d + i - 1u] * right.y);
        out[d + i] = old.z;
        turn_vectors(i - 1u, vec2(old.x, -old.y), vec2(right.x, -right.y));
    }
    let h = out[d + l] * c;
    out[d + l] = h * old.x;
    out[e + l] = h * old.y;
}

fn exchange(i: u32, j: u32) {
    let x = out[i];
    out[i] = out[j];
    out[j] = x;
}

// Positive values in descending order, vectors with them.
fn finish() {
    let n = params.n;
    let columns = params.columns;
    for (var i = 0u; i < n; i++) {
        if is_negative(out[d + i]) {
            out[d + i] = -out[d + i];
            for (var k = 0u; k < n && columns > 0u; k++) {
                out[v + i * n + k] = -out[v + i * n + k];
            }
        }
    }
    for (var end = n - 1u; end > 0u; end--) {
        var least = 0u;
        for (var j = 1u; j <= end; j++) {
            if out[d + j] <= out[d + least] {
                least = j;
            }
        }
        if least != end {
            exchange(d + least, d + end);
            for (var k = 0u; k < n && columns > 0u; k++) {
                exchange(v + least * n + k, v + end * n + k);
            }
            for (var k = 0u; k < params.m && columns > 0u; k++) {
                exchange(u + k * columns + least, u + k * columns + end);
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
