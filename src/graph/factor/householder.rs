//! Reflections I − τ·v·vᵀ that turn a vector into a multiple of the first unit vector.

/// The reflection of the `len` elements of `a` that lie `stride` apart from `start` on. They become
/// the result's first element and the rest of v, whose own first element is 1; returns τ.
pub fn reflect(a: &mut [f32], start: usize, stride: usize, len: usize) -> f32 {
    let square = |i: usize| f64::from(a[start + i * stride]).powi(2);
    let rest = (1..len).map(square).sum::<f64>().sqrt();
    if rest == 0.0 || len == 0 {
        return 0.0;
    }
    let alpha = f64::from(a[start]);
    let beta = -alpha.hypot(rest).copysign(alpha);
    for i in 1..len {
        let x = &mut a[start + i * stride];
        *x = (f64::from(*x) / (alpha - beta)) as f32;
    }
    a[start] = beta as f32;
    ((beta - alpha) / beta) as f32
}

/// Lines of a matrix that a reflection is applied to: element i of line j is at
/// `start + i · along + j · across`.
#[derive(Clone, Copy)]
pub struct Lines {
    pub start: usize,
    pub along: usize,
    pub across: usize,
    pub count: usize,
}

/// Applies a reflection with `len` elements: v is 1 and what `v(i)` gives for i from 1 on.
pub fn apply(tau: f32, len: usize, v: impl Fn(&[f32], usize) -> f32, a: &mut [f32], lines: Lines) {
    if tau == 0.0 {
        return;
    }
    for j in 0..lines.count {
        let at = |i: usize| lines.start + i * lines.along + j * lines.across;
        let product = |i: usize| f64::from(v(a, i)) * f64::from(a[at(i)]);
        let dot = f64::from(a[at(0)]) + (1..len).map(product).sum::<f64>();
        let part = f64::from(tau) * dot;
        a[at(0)] = (f64::from(a[at(0)]) - part) as f32;
        for i in 1..len {
            a[at(i)] = (f64::from(a[at(i)]) - part * f64::from(v(a, i))) as f32;
        }
    }
}
