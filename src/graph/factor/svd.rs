//! A = U·diag(s)·Vᵀ: reflections to a bidiagonal matrix, then implicit QR steps (LAPACK's gebd2 and
//! bdsqr; Demmel and Kahan 1990). In float32: the number of sweeps, and with it the signs of the
//! vectors, depends on the precision.

use super::EPSILON;
use super::householder::{Lines, apply, reflect};
use super::qr::accumulate;
use super::rotation::{rotation, singular2, smaller2, turn};

/// Sweeps allowed for each pair of singular values.
const SWEEPS: usize = 6;

/// Of a matrix `[m, n]` with m ≥ n: the singular values in descending order, and when `columns` is not
/// zero the first `columns` columns of U `[m, columns]` (at least n) and Vᵀ `[n, n]`; NaN where the
/// sweeps do not converge.
pub fn factor(a: &[f32], [m, n]: [usize; 2], columns: usize) -> Vec<f32> {
    let mut a = a.to_vec();
    let (mut left, mut right) = (vec![0.0; n], vec![0.0; n]);
    let (mut d, mut e) = (vec![0.0; n], vec![0.0; n]);
    for i in 0..n {
        left[i] = reflect(&mut a, i * n + i, n, m - i);
        d[i] = a[i * n + i];
        let rest = Lines { start: i * n + i + 1, along: n, across: 1, count: n - i - 1 };
        apply(left[i], m - i, |a, k| a[(i + k) * n + i], &mut a, rest);
        if i + 1 < n {
            right[i + 1] = reflect(&mut a, i * n + i + 1, 1, n - i - 1);
            e[i] = a[i * n + i + 1];
            let start = (i + 1) * n + i + 1;
            let rest = Lines { start, along: 1, across: n, count: m - i - 1 };
            apply(right[i + 1], n - i - 1, |a, k| a[i * n + i + 1 + k], &mut a, rest);
        }
    }
    let u = accumulate(m, columns, &left, |i, k| a[(i + k) * n + i]);
    let v = if columns == 0 { Vec::new() } else { transposed_right(&a, n, &right) };
    let mut b = Bidiagonal { d, e, u, v, rows: m, columns, n };
    if !b.diagonalise() {
        return vec![f32::NAN; n + b.u.len() + b.v.len()];
    }
    b.finish();
    [b.d, b.u, b.v].concat()
}

/// Vᵀ of the reflections that lie in the rows right of the superdiagonal.
fn transposed_right(a: &[f32], n: usize, taus: &[f32]) -> Vec<f32> {
    let v = accumulate(n, n, taus, |i, k| a[i.saturating_sub(1) * n + i + k]);
    (0..n * n).map(|at| v[at % n * n + at / n]).collect()
}

/// A bidiagonal matrix with diagonal `d` and superdiagonal `e`, and the vectors found so far: columns
/// of `u`, rows of `v`.
struct Bidiagonal {
    d: Vec<f32>,
    e: Vec<f32>,
    u: Vec<f32>,
    v: Vec<f32>,
    rows: usize,
    columns: usize,
    n: usize,
}

impl Bidiagonal {
    fn turn(&mut self, i: usize, right: (f32, f32), left: (f32, f32)) {
        if self.columns > 0 {
            turn(&mut self.v, i, [1, self.n, self.n], right);
            turn(&mut self.u, i, [self.columns, 1, self.rows], left);
        }
    }

    /// Makes all of `e` zero; whether that came to an end.
    fn diagonalise(&mut self) -> bool {
        if self.n == 0 {
            return true;
        }
        let tolerance = EPSILON.powf(-0.125).clamp(10.0, 100.0) * EPSILON;
        let threshold = self.threshold(tolerance);
        // The last block and the direction of its sweeps.
        let (mut block, mut down) = ((usize::MAX, 0), true);
        let mut m = self.n - 1;
        for _ in 0..SWEEPS * self.n * self.n + 2 * self.n {
            let Some((l, largest)) = self.block(&mut m, threshold) else { return true };
            if l + 1 == m {
                let two = singular2(self.d[l], self.e[l], self.d[m]);
                (self.d[l], self.e[l], self.d[m]) = (two.large, 0.0, two.small);
                self.turn(l, two.right, two.left);
                if m < 2 {
                    return true;
                }
                m -= 2;
                continue;
            }
            if block.0 == usize::MAX || l > block.1 || m < block.0 {
                down = self.d[l].abs() >= self.d[m].abs();
            }
            let Some(least) = self.least((l, m), down, tolerance) else { continue };
            block = (l, m);
            let shift = self.shift((l, m), down, least / largest, tolerance);
            match (down, shift == 0.0) {
                (true, true) => self.chase_down_unshifted(l, m),
                (true, false) => self.chase_down(l, m, shift),
                (false, true) => self.chase_up_unshifted(l, m),
                (false, false) => self.chase_up(l, m, shift),
            }
            let last = if down { m - 1 } else { l };
            if self.e[last].abs() <= threshold {
                self.e[last] = 0.0;
            }
        }
        false
    }

    /// Below it an element of `e` counts as zero.
    fn threshold(&self, tolerance: f32) -> f32 {
        let mut mu = self.d[0].abs();
        let mut least = mu;
        for i in 1..self.n {
            mu = self.d[i].abs() * (mu / (mu + self.e[i - 1].abs()));
            least = least.min(mu);
        }
        let floor = (SWEEPS * self.n * self.n) as f32 * f32::MIN_POSITIVE;
        (tolerance * least / (self.n as f32).sqrt()).max(floor)
    }

    /// The first row of the last block, whose last row `m` becomes, and its largest element; nothing
    /// when all is diagonal.
    fn block(&mut self, m: &mut usize, threshold: f32) -> Option<(usize, f32)> {
        while *m > 0 {
            let mut largest = self.d[*m].abs();
            let mut first = 0;
            for i in (0..*m).rev() {
                if self.e[i].abs() <= threshold {
                    self.e[i] = 0.0;
                    first = i + 1;
                    break;
                }
                largest = largest.max(self.d[i].abs()).max(self.e[i].abs());
            }
            if first < *m {
                return Some((first, largest));
            }
            *m -= 1;
        }
        None
    }

    /// A lower bound of the block's singular values; nothing when an element of `e` was found to be
    /// small beside it, and is zero now.
    fn least(&mut self, (l, m): (usize, usize), down: bool, tolerance: f32) -> Option<f32> {
        let (last, beside) = if down { (m - 1, m) } else { (l, l) };
        if self.e[last].abs() <= tolerance * self.d[beside].abs() {
            self.e[last] = 0.0;
            return None;
        }
        let mut mu = self.d[if down { l } else { m }].abs();
        let mut least = mu;
        for k in 0..m - l {
            let (i, next) = if down { (l + k, l + k + 1) } else { (m - 1 - k, m - 1 - k) };
            if self.e[i].abs() <= tolerance * mu {
                self.e[i] = 0.0;
                return None;
            }
            mu = self.d[next].abs() * (mu / (mu + self.e[i].abs()));
            least = least.min(mu);
        }
        Some(least)
    }

    /// The shift of a sweep; zero where a shifted one would lose small singular values.
    fn shift(&self, (l, m): (usize, usize), down: bool, ratio: f32, tolerance: f32) -> f32 {
        if self.n as f32 * tolerance * ratio <= EPSILON.max(0.01 * tolerance) {
            return 0.0;
        }
        let (i, first) = if down { (m - 1, l) } else { (l, m) };
        let shift = smaller2(self.d[i], self.e[i], self.d[i + 1]);
        let first = self.d[first].abs();
        if first > 0.0 && (shift / first).powi(2) < EPSILON { 0.0 } else { shift }
    }

    fn chase_down_unshifted(&mut self, l: usize, m: usize) {
        let (mut c, mut old_c, mut old_s) = (1.0, 1.0, 0.0);
        for i in l..m {
            let (next, s, r) = rotation(self.d[i] * c, self.e[i]);
            c = next;
            if i > l {
                self.e[i - 1] = old_s * r;
            }
            (old_c, old_s, self.d[i]) = rotation(old_c * r, self.d[i + 1] * s);
            self.turn(i, (c, s), (old_c, old_s));
        }
        let h = self.d[m] * c;
        self.d[m] = h * old_c;
        self.e[m - 1] = h * old_s;
    }

    fn chase_up_unshifted(&mut self, l: usize, m: usize) {
        let (mut c, mut old_c, mut old_s) = (1.0, 1.0, 0.0);
        for i in (l + 1..=m).rev() {
            let (next, s, r) = rotation(self.d[i] * c, self.e[i - 1]);
            c = next;
            if i < m {
                self.e[i] = old_s * r;
            }
            (old_c, old_s, self.d[i]) = rotation(old_c * r, self.d[i - 1] * s);
            self.turn(i - 1, (old_c, -old_s), (c, -s));
        }
        let h = self.d[l] * c;
        self.d[l] = h * old_c;
        self.e[l] = h * old_s;
    }

    fn chase_down(&mut self, l: usize, m: usize, shift: f32) {
        let mut f = shifted(self.d[l], shift);
        let mut g = self.e[l];
        for i in l..m {
            let (cr, sr, r) = rotation(f, g);
            if i > l {
                self.e[i - 1] = r;
            }
            f = cr * self.d[i] + sr * self.e[i];
            self.e[i] = cr * self.e[i] - sr * self.d[i];
            g = sr * self.d[i + 1];
            self.d[i + 1] *= cr;
            let (cl, sl, r) = rotation(f, g);
            self.d[i] = r;
            f = cl * self.e[i] + sl * self.d[i + 1];
            self.d[i + 1] = cl * self.d[i + 1] - sl * self.e[i];
            if i + 1 < m {
                g = sl * self.e[i + 1];
                self.e[i + 1] *= cl;
            }
            self.turn(i, (cr, sr), (cl, sl));
        }
        self.e[m - 1] = f;
    }

    fn chase_up(&mut self, l: usize, m: usize, shift: f32) {
        let mut f = shifted(self.d[m], shift);
        let mut g = self.e[m - 1];
        for i in (l + 1..=m).rev() {
            let (cr, sr, r) = rotation(f, g);
            if i < m {
                self.e[i] = r;
            }
            f = cr * self.d[i] + sr * self.e[i - 1];
            self.e[i - 1] = cr * self.e[i - 1] - sr * self.d[i];
            g = sr * self.d[i - 1];
            self.d[i - 1] *= cr;
            let (cl, sl, r) = rotation(f, g);
            self.d[i] = r;
            f = cl * self.e[i - 1] + sl * self.d[i - 1];
            self.d[i - 1] = cl * self.d[i - 1] - sl * self.e[i - 1];
            if i > l + 1 {
                g = sl * self.e[i - 2];
                self.e[i - 2] *= cl;
            }
            self.turn(i - 1, (cl, -sl), (cr, -sr));
        }
        self.e[l] = f;
    }

    /// Positive values in descending order, vectors with them.
    fn finish(&mut self) {
        let (n, columns) = (self.n, self.columns);
        if n == 1 {
            // LAPACK gives the sign of a single value to U.
            let sign = 1f32.copysign(self.d[0]);
            self.d[0] *= sign;
            self.u.iter_mut().step_by(columns.max(1)).for_each(|x| *x *= sign);
        }
        for i in 0..n {
            if self.d[i].is_sign_negative() {
                self.d[i] = -self.d[i];
                self.v.iter_mut().skip(i * n).take(n).for_each(|x| *x = -*x);
            }
        }
        for end in (1..n).rev() {
            let least = (0..=end).fold(0, |k, j| if self.d[j] <= self.d[k] { j } else { k });
            if least == end {
                continue;
            }
            self.d.swap(least, end);
            if columns > 0 {
                (0..n).for_each(|i| self.v.swap(least * n + i, end * n + i));
                (0..self.rows).for_each(|i| self.u.swap(i * columns + least, i * columns + end));
            }
        }
    }
}

/// The first element of a shifted sweep.
fn shifted(d: f32, shift: f32) -> f32 {
    (d.abs() - shift) * (1f32.copysign(d) + shift / d)
}
