//! A = V·diag(w)·Vᵀ of a symmetric matrix: reflections to a tridiagonal one, then implicit QL and QR
//! steps (LAPACK's sytd2 and steqr). In float32: the number of steps, and with it the signs of the vectors,
//! depends on the precision.

use super::EPSILON;
use super::householder::reflect;
use super::qr::accumulate;
use super::rotation::{eigen2, rotation, turn};

/// Steps allowed for each eigenvalue.
const STEPS: usize = 30;

/// The vectors as columns `[n, n]`, and the values in ascending order; NaN where the steps do not
/// converge.
pub fn factor(a: &[f32], n: usize) -> Vec<f32> {
    let (mut a, mut taus) = (a.to_vec(), vec![0.0; n]);
    let mut t = Tridiagonal { d: vec![0.0; n], e: vec![0.0; n], z: Vec::new(), n, steps: 0 };
    for i in 0..n.saturating_sub(1) {
        taus[i + 1] = reflect(&mut a, (i + 1) * n + i, n, n - i - 1);
        t.e[i] = a[(i + 1) * n + i];
        update(&mut a, n, i, taus[i + 1]);
    }
    for i in 0..n {
        t.d[i] = a[i * n + i];
    }
    // The reflection that cleared column i starts in row i + 1.
    t.z = accumulate(n, n, &taus, |i, k| a[(i + k) * n + i.saturating_sub(1)]);
    if !t.diagonalise() {
        return vec![f32::NAN; n * n + n];
    }
    t.sort();
    t.z.extend(&t.d);
    t.z
}

/// A − v·wᵀ − w·vᵀ of what lies behind column `i`, whose v is there below the diagonal.
fn update(a: &mut [f32], n: usize, i: usize, tau: f32) {
    let len = n - i - 1;
    let v: Vec<f32> = (0..len).map(|k| if k == 0 { 1.0 } else { a[(i + 1 + k) * n + i] }).collect();
    let at = |r: usize, c: usize| {
        let (r, c) = (r.max(c), r.min(c));
        (i + 1 + r) * n + i + 1 + c
    };
    let row = |r: usize| tau * (0..len).map(|c| a[at(r, c)] * v[c]).sum::<f32>();
    let mut w: Vec<f32> = (0..len).map(row).collect();
    let shift = -0.5 * tau * w.iter().zip(&v).map(|(w, v)| w * v).sum::<f32>();
    w.iter_mut().zip(&v).for_each(|(w, v)| *w += shift * v);
    for r in 0..len {
        for c in 0..=r {
            a[at(r, c)] -= v[r] * w[c] + w[r] * v[c];
        }
    }
}

/// A tridiagonal matrix with diagonal `d`, off-diagonal `e` and the vectors found so far as columns of
/// `z`.
struct Tridiagonal {
    d: Vec<f32>,
    e: Vec<f32>,
    z: Vec<f32>,
    n: usize,
    steps: usize,
}

impl Tridiagonal {
    /// Makes all of `e` zero, block by block; whether that came to an end.
    fn diagonalise(&mut self) -> bool {
        let mut start = 0;
        while start < self.n {
            let end = (start..self.n - 1).find(|&i| self.splits(i)).unwrap_or(self.n - 1);
            if end < self.n - 1 {
                self.e[end] = 0.0;
            }
            // The end with the larger element is found last.
            if self.d[end].abs() < self.d[start].abs() {
                self.upwards(end, start);
            } else {
                self.downwards(start, end);
            }
            if self.steps >= STEPS * self.n {
                return false;
            }
            // What is left of the block is looked at again.
            start = (start..end).find(|&i| self.e[i] != 0.0).unwrap_or(end + 1);
        }
        true
    }

    fn splits(&self, i: usize) -> bool {
        self.e[i].abs() <= (self.d[i].abs().sqrt() * self.d[i + 1].abs().sqrt()) * EPSILON
    }

    fn is_small(&self, i: usize) -> bool {
        let product = EPSILON * EPSILON * self.d[i].abs() * self.d[i + 1].abs();
        self.e[i] * self.e[i] <= product + f32::MIN_POSITIVE
    }

    fn turn(&mut self, i: usize, cs: (f32, f32)) {
        turn(&mut self.z, i, [self.n, 1, self.n], cs);
    }

    /// QL steps on the block from `l` to `end`.
    fn downwards(&mut self, mut l: usize, end: usize) {
        while l <= end && self.steps < STEPS * self.n {
            let m = (l..end).find(|&i| self.is_small(i)).unwrap_or(end);
            if m < end {
                self.e[m] = 0.0;
            }
            if m == l {
                l += 1;
            } else if m == l + 1 {
                let (first, second, c, s) = eigen2(self.d[l], self.e[l], self.d[m]);
                self.turn(l, (c, s));
                (self.d[l], self.d[m], self.e[l]) = (first, second, 0.0);
                l += 2;
            } else {
                self.steps += 1;
                self.ql(l, m);
            }
        }
    }

    fn ql(&mut self, l: usize, m: usize) {
        let (mut g, mut s, mut c, mut p) = (self.shifted(l, l + 1, l, m), 1.0, 1.0, 0.0);
        for i in (l..m).rev() {
            let (f, b) = (s * self.e[i], c * self.e[i]);
            let r;
            (c, s, r) = rotation(g, f);
            if i != m - 1 {
                self.e[i + 1] = r;
            }
            g = self.d[i + 1] - p;
            let r = (self.d[i] - g) * s + 2.0 * c * b;
            p = s * r;
            self.d[i + 1] = g + p;
            g = c * r - b;
            self.turn(i, (c, -s));
        }
        self.d[l] -= p;
        self.e[l] = g;
    }

    /// QR steps on the block from `l` down to `end`.
    fn upwards(&mut self, mut l: usize, end: usize) {
        while self.steps < STEPS * self.n {
            let m = (end..l).rev().find(|&i| self.is_small(i)).map_or(end, |i| i + 1);
            if m > end {
                self.e[m - 1] = 0.0;
            }
            let done = if m == l {
                1
            } else if m + 1 == l {
                let (first, second, c, s) = eigen2(self.d[m], self.e[m], self.d[l]);
                self.turn(m, (c, s));
                (self.d[m], self.d[l], self.e[m]) = (first, second, 0.0);
                2
            } else {
                self.steps += 1;
                self.qr(l, m);
                0
            };
            if l < end + done {
                return;
            }
            l -= done;
        }
    }

    fn qr(&mut self, l: usize, m: usize) {
        let (mut g, mut s, mut c, mut p) = (self.shifted(l, l - 1, l - 1, m), 1.0, 1.0, 0.0);
        for i in m..l {
            let (f, b) = (s * self.e[i], c * self.e[i]);
            let r;
            (c, s, r) = rotation(g, f);
            if i != m {
                self.e[i - 1] = r;
            }
            g = self.d[i] - p;
            let r = (self.d[i + 1] - g) * s + 2.0 * c * b;
            p = s * r;
            self.d[i] = g + p;
            g = c * r - b;
            self.turn(i, (c, s));
        }
        self.d[l] -= p;
        self.e[l - 1] = g;
    }

    /// The first element of a step: `d[m]` less Wilkinson's shift at `l`, whose neighbour is `next`.
    fn shifted(&self, l: usize, next: usize, e: usize, m: usize) -> f32 {
        let p = self.d[l];
        let g = (self.d[next] - p) / (2.0 * self.e[e]);
        self.d[m] - p + self.e[e] / (g + g.hypot(1.0).copysign(g))
    }

    /// Values in ascending order, vectors with them.
    fn sort(&mut self) {
        for i in 0..self.n {
            let least = (i..self.n).fold(i, |k, j| if self.d[j] < self.d[k] { j } else { k });
            if least != i {
                self.d.swap(i, least);
                (0..self.n).for_each(|row| self.z.swap(row * self.n + i, row * self.n + least));
            }
        }
    }
}
