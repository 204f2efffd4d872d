//! Rotations of two elements, as LAPACK makes them.

use super::EPSILON;

/// Cosine, sine and length of the rotation that turns (f, g) into (r, 0); r has the sign of f.
pub fn rotation(f: f32, g: f32) -> (f32, f32, f32) {
    if g == 0.0 {
        (1.0, 0.0, f)
    } else if f == 0.0 {
        (0.0, 1f32.copysign(g), g.abs())
    } else {
        let r = f.hypot(g).copysign(f);
        (f.abs() / r.abs(), g / r, r)
    }
}

/// Turns lines `j` and `j + 1` of `lines` elements each: element i of line j is at
/// `i * along + j * across`.
pub fn turn(a: &mut [f32], j: usize, [along, across, lines]: [usize; 3], (c, s): (f32, f32)) {
    for i in 0..lines {
        let at = i * along + j * across;
        let (x, y) = (a[at], a[at + across]);
        a[at] = c * x + s * y;
        a[at + across] = c * y - s * x;
    }
}

/// The eigenvalues of [[a, b], [b, c]], the larger in absolute value first, and the unit vector
/// (cosine, sine) of that one.
pub fn eigen2(a: f32, b: f32, c: f32) -> (f32, f32, f32, f32) {
    let (sum, difference, twice) = (a + c, a - c, b + b);
    let (large, small) = if a.abs() > c.abs() { (a, c) } else { (c, a) };
    let root = difference.hypot(twice);
    let other = |first: f32| (large / first) * small - (b / first) * b;
    let (first, second, sign1) = if sum < 0.0 {
        let first = 0.5 * (sum - root);
        (first, other(first), -1.0)
    } else if sum > 0.0 {
        let first = 0.5 * (sum + root);
        (first, other(first), 1.0)
    } else {
        (0.5 * root, -0.5 * root, 1.0)
    };
    let sign2 = if difference >= 0.0 { 1.0 } else { -1.0 };
    let cosine = difference + sign2 * root;
    let (c1, s1) = if cosine.abs() > twice.abs() {
        let t = -twice / cosine;
        let s = 1.0 / 1f32.hypot(t);
        (t * s, s)
    } else if twice == 0.0 {
        (1.0, 0.0)
    } else {
        let t = -cosine / twice;
        let c = 1.0 / 1f32.hypot(t);
        (c, t * c)
    };
    if sign1 == sign2 { (first, second, -s1, c1) } else { (first, second, c1, s1) }
}

/// The smaller singular value of [[f, g], [0, h]].
pub fn smaller2(f: f32, g: f32, h: f32) -> f32 {
    let (f, g, h) = (f.abs(), g.abs(), h.abs());
    let (low, high) = (f.min(h), f.max(h));
    if low == 0.0 {
        return 0.0;
    }
    let (sum, difference) = (1.0 + low / high, (high - low) / high);
    if g < high {
        let u = (g / high).powi(2);
        low * (2.0 / ((sum * sum + u).sqrt() + (difference * difference + u).sqrt()))
    } else {
        let u = high / g;
        if u == 0.0 {
            return low * high / g;
        }
        let c = 1.0 / (1f32.hypot(sum * u) + 1f32.hypot(difference * u));
        2.0 * (low * c * u)
    }
}

/// The singular values of [[f, g], [0, h]], the larger in absolute value first, with the (cosine, sine)
/// of its right and of its left vector.
pub struct Singular2 {
    pub large: f32,
    pub small: f32,
    pub right: (f32, f32),
    pub left: (f32, f32),
}

/// The singular value decomposition of [[f, g], [0, h]].
pub fn singular2(f: f32, g: f32, h: f32) -> Singular2 {
    let swap = h.abs() > f.abs();
    let (ft, ht) = if swap { (h, f) } else { (f, h) };
    let (fa, ha, ga) = (ft.abs(), ht.abs(), g.abs());
    let (large, small, (cl, sl), (cr, sr)) = if ga == 0.0 {
        (fa, ha, (1.0, 0.0), (1.0, 0.0))
    } else if ga > fa && fa / ga < EPSILON {
        let small = if ha > 1.0 { fa / (ga / ha) } else { fa / ga * ha };
        (ga, small, (1.0, ht / g), (ft / g, 1.0))
    } else {
        general(ft, g, ht)
    };
    let (left, right) = if swap { ((sr, cr), (sl, cl)) } else { ((cl, sl), (cr, sr)) };
    let sign = |x: f32| 1f32.copysign(x);
    let of_large = if ga > fa {
        sign(right.1) * sign(left.0) * sign(g)
    } else if swap {
        sign(right.1) * sign(left.1) * sign(h)
    } else {
        sign(right.0) * sign(left.0) * sign(f)
    };
    Singular2 { large: large * of_large, small: small * of_large * sign(f) * sign(h), right, left }
}

/// The case of comparable elements with |f| ≥ |h|: absolute singular values, left and right vectors.
fn general(f: f32, g: f32, h: f32) -> (f32, f32, (f32, f32), (f32, f32)) {
    let (fa, ha) = (f.abs(), h.abs());
    let d = fa - ha;
    let l = if d == fa { 1.0 } else { d / fa };
    let (m, t) = (g / f, 2.0 - l);
    let s = t.hypot(m);
    let r = if l == 0.0 { m.abs() } else { l.hypot(m) };
    let a = 0.5 * (s + r);
    let t = if m * m != 0.0 {
        (m / (s + t) + m / (r + l)) * (1.0 + a)
    } else if l == 0.0 {
        2f32.copysign(f) * 1f32.copysign(g)
    } else {
        g / d.copysign(f) + m / t
    };
    let l = t.hypot(2.0);
    let (cr, sr) = (2.0 / l, t / l);
    let left = ((cr + sr * m) / a, (h / f) * sr / a);
    (fa * a, ha / a, left, (cr, sr))
}
