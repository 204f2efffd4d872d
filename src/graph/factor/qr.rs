//! A = Q·R with orthonormal columns of Q.

use super::householder::{Lines, apply, reflect};

/// R in the upper triangle of a matrix `[m, n]` with reflections below it, their τ (`min(m, n)`), and
/// the first `columns` columns of Q `[m, columns]`.
pub fn factor(a: &[f32], [m, n]: [usize; 2], columns: usize) -> Vec<f32> {
    let mut r = a.to_vec();
    let steps = m.min(n);
    let mut taus = vec![0.0; steps];
    for i in 0..steps {
        taus[i] = reflect(&mut r, i * n + i, n, m - i);
        let rest = Lines { start: i * n + i + 1, along: n, across: 1, count: n - i - 1 };
        apply(taus[i], m - i, |r, k| r[(i + k) * n + i], &mut r, rest);
    }
    let q = accumulate(m, columns, &taus, |i, k| r[(i + k) * n + i]);
    r.extend(taus.iter().chain(&q));
    r
}

/// The first columns `[m, columns]` of a product of reflections: the one numbered i starts in row i, with
/// τ `taus[i]` and the elements `v(i, k)`.
pub fn accumulate(
    m: usize,
    columns: usize,
    taus: &[f32],
    v: impl Fn(usize, usize) -> f32,
) -> Vec<f32> {
    let mut q = vec![0.0; m * columns];
    for i in 0..m.min(columns) {
        q[i * columns + i] = 1.0;
    }
    for (i, &tau) in taus.iter().enumerate().rev() {
        let all = Lines { start: i * columns, along: columns, across: 1, count: columns };
        apply(tau, m - i, |_, k| v(i, k), &mut q, all);
    }
    q
}
