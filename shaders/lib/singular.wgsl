// Singular values of [[f, g], [0, h]], as LAPACK finds them; see src/graph/factor/rotation.rs.

#import lib/rotation

fn smaller2(f: f32, g: f32, h: f32) -> f32 {
    let low = min(abs(f), abs(h));
    let high = max(abs(f), abs(h));
    let across = abs(g);
    if low == 0.0 {
        return 0.0;
    }
    let sum = 1.0 + low / high;
    let difference = (high - low) / high;
    if across < high {
        let u = (across / high) * (across / high);
        return low * (2.0 / (sqrt(sum * sum + u) + sqrt(difference * difference + u)));
    }
    let u = high / across;
    if u == 0.0 {
        return low * high / across;
    }
    let a = sum * u;
    let b = difference * u;
    return 2.0 * (low * (1.0 / (sqrt(1.0 + a * a) + sqrt(1.0 + b * b))) * u);
}

struct Singular2 {
    large: f32,
    small: f32,
    right: vec2<f32>,
    left: vec2<f32>,
}

fn singular2(f: f32, g: f32, h: f32) -> Singular2 {
    let swapped = abs(h) > abs(f);
    let ft = select(f, h, swapped);
    let ht = select(h, f, swapped);
    var two = singular2_ordered(ft, g, ht);
    if swapped {
        let left = two.left;
        two.left = two.right.yx;
        two.right = left.yx;
    }
    var size = with_sign(1.0, two.right.x) * with_sign(1.0, two.left.x) * with_sign(1.0, f);
    if abs(g) > abs(ft) {
        size = with_sign(1.0, two.right.y) * with_sign(1.0, two.left.x) * with_sign(1.0, g);
    } else if swapped {
        size = with_sign(1.0, two.right.y) * with_sign(1.0, two.left.y) * with_sign(1.0, h);
    }
    two.large *= size;
    two.small *= size * with_sign(1.0, f) * with_sign(1.0, h);
    return two;
}

// The case of |f| >= |h|, with absolute values.
fn singular2_ordered(f: f32, g: f32, h: f32) -> Singular2 {
    let fa = abs(f);
    let ha = abs(h);
    let ga = abs(g);
    if ga == 0.0 {
        return Singular2(fa, ha, vec2(1.0, 0.0), vec2(1.0, 0.0));
    }
    if ga > fa && fa / ga < EPSILON {
        let small = select(fa / ga * ha, fa / (ga / ha), ha > 1.0);
        return Singular2(ga, small, vec2(f / g, 1.0), vec2(1.0, h / g));
    }
    let d = fa - ha;
    let gap = select(d / fa, 1.0, d == fa);
    let m = g / f;
    let rest = 2.0 - gap;
    let s = sqrt(rest * rest + m * m);
    let r = select(sqrt(gap * gap + m * m), abs(m), gap == 0.0);
    let a = 0.5 * (s + r);
    var t = (m / (s + rest) + m / (r + gap)) * (1.0 + a);
    if m * m == 0.0 {
        t = g / with_sign(d, f) + m / rest;
        if gap == 0.0 {
            t = with_sign(2.0, f) * with_sign(1.0, g);
        }
    }
    let length = sqrt(t * t + 4.0);
    let right = vec2(2.0 / length, t / length);
    let left = vec2((right.x + right.y * m) / a, (h / f) * right.y / a);
    return Singular2(fa * a, ha / a, right, left);
}
