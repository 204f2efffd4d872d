// Rotations of two elements, as LAPACK makes them; src/graph/factor/rotation.rs says what each gives.

#import lib/number

const EPSILON: f32 = 5.9604645e-8;
const TINY: f32 = 1.1754944e-38;

fn hypotenuse(x: f32, y: f32) -> f32 {
    let high = max(abs(x), abs(y));
    if !(high > 0.0) {
        return 0.0;
    }
    let a = x / high;
    let b = y / high;
    return high * sqrt(a * a + b * b);
}

// Cosine, sine, length.
fn rotation(f: f32, g: f32) -> vec3<f32> {
    if g == 0.0 {
        return vec3(1.0, 0.0, f);
    }
    if f == 0.0 {
        return vec3(0.0, with_sign(1.0, g), abs(g));
    }
    let r = with_sign(hypotenuse(f, g), f);
    return vec3(abs(f) / abs(r), g / r, r);
}

// Turns lines j and j + 1 inside of `out`: element i of line j is at start + i * along + j * across.
fn turn(start: u32, along: u32, across: u32, lines: u32, j: u32, c: f32, s: f32) {
    for (var i = 0u; i < lines; i++) {
        let at = start + i * along + j * across;
        let x = out[at];
        let y = out[at + across];
        out[at] = c * x + s * y;
        out[at + across] = c * y - s * x;
    }
}

// Eigenvalues, the larger first, and cosine and sine of its vector.
fn eigen2(a: f32, b: f32, c: f32) -> vec4<f32> {
    let sum = a + c;
    let difference = a - c;
    let twice = b + b;
    let a_is_large = abs(a) > abs(c);
    let large = select(c, a, a_is_large);
    let small = select(a, c, a_is_large);
    let root = hypotenuse(difference, twice);
    var first = 0.5 * root;
    var second = -0.5 * root;
    if sum != 0.0 {
        first = 0.5 * (sum + with_sign(root, sum));
        second = (large / first) * small - (b / first) * b;
    }
    let sign1 = select(1.0, -1.0, sum < 0.0);
    let sign2 = select(-1.0, 1.0, difference >= 0.0);
    let cosine = difference + sign2 * root;
    var c1 = 1.0;
    var s1 = 0.0;
    if abs(cosine) > abs(twice) {
        let t = -twice / cosine;
        s1 = 1.0 / sqrt(1.0 + t * t);
        c1 = t * s1;
    } else if twice != 0.0 {
        let t = -cosine / twice;
        c1 = 1.0 / sqrt(1.0 + t * t);
        s1 = t * c1;
    }
    if sign1 == sign2 {
        return vec4(first, second, -s1, c1);
    }
    return vec4(first, second, c1, s1);
}
