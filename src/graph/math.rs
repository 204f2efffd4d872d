//! Scalar functions of the host that the standard library lacks, in double precision.

/// Sign as NumPy gives it: NaN stays NaN, zeros stay zero.
pub fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        x
    }
}

/// Logistic function, without overflow on either side.
pub fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// Error function: Maclaurin series near zero, continued fraction of the complement elsewhere
/// (Abramowitz and Stegun 7.1.5 and 7.1.14); relative error below 1e-14.
pub fn erf(x: f64) -> f64 {
    let a = x.abs();
    if a < 2.5 {
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term.abs() > sum.abs() * 1e-17 {
            n += 1.0;
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    } else if a < 6.0 {
        (1.0 - complement(a)).copysign(x)
    } else if x.is_nan() {
        x
    } else {
        1f64.copysign(x)
    }
}

/// `1 - erf(a)` for `a` of at least 2.5, by its continued fraction.
fn complement(a: f64) -> f64 {
    let tail = (1..60).rev().fold(0.0, |tail, k| f64::from(k) / 2.0 / (a + tail));
    (-a * a).exp() / ((a + tail) * std::f64::consts::PI.sqrt())
}

/// `1 - erf(x)`, relatively exact where that difference is small.
pub fn erfc(x: f64) -> f64 {
    if x < 2.5 || x.is_nan() { 1.0 - erf(x) } else { complement(x) }
}

/// The number whose error function is `x`: Giles's approximation (2010), then Newton's method.
pub fn erfinv(x: f64) -> f64 {
    let w = -((1.0 - x) * (1.0 + x)).ln();
    if !w.is_finite() || x == 0.0 {
        return if x.abs() == 1.0 {
            x * f64::INFINITY
        } else {
            x * (1.0 - x.abs()).signum().sqrt()
        };
    }
    const CENTRAL: [f64; 9] = [
        2.81022636e-08,
        3.43273939e-07,
        -3.5233877e-06,
        -4.39150654e-06,
        0.00021858087,
        -0.00125372503,
        -0.00417768164,
        0.246640727,
        1.50140941,
    ];
    const TAIL: [f64; 9] = [
        -0.000200214257,
        0.000100950558,
        0.00134934322,
        -0.00367342844,
        0.00573950773,
        -0.0076224613,
        0.00943887047,
        1.00167406,
        2.83297682,
    ];
    let (t, coefficients) = if w < 5.0 { (w - 2.5, CENTRAL) } else { (w.sqrt() - 3.0, TAIL) };
    let start = x * coefficients.into_iter().fold(0.0, |p, c| p * t + c);
    (0..3)
        .fold(start, |y, _| y - (erf(y) - x) / (std::f64::consts::FRAC_2_SQRT_PI * (-y * y).exp()))
}

/// The modified Bessel function of the first kind of order 0, by its power series, all of whose terms
/// are positive.
pub fn i0(x: f64) -> f64 {
    bessel(x, 1.0, 0.0)
}

/// The modified Bessel function of the first kind of order 1.
pub fn i1(x: f64) -> f64 {
    bessel(x, x / 2.0, 1.0)
}

/// The sum whose first term is `first` and in which term `k` is the one before times
/// `x² / 4 / (k (k + order))`.
fn bessel(x: f64, first: f64, order: f64) -> f64 {
    if !x.is_finite() {
        // As in JAX, whose product of a scaled function and an exponential has no value there.
        return f64::NAN;
    }
    if x.abs() > 720.0 {
        // The result has no double; the series would run long for nothing.
        return f64::INFINITY.copysign(if order > 0.0 { x } else { 1.0 });
    }
    let (mut term, mut sum, mut k) = (first, first, 0.0);
    while term.abs() > sum.abs() * 1e-17 {
        k += 1.0;
        term *= x * x / 4.0 / (k * (k + order));
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erf_agrees_with_published_values() {
        // Abramowitz and Stegun, table 7.1.
        let table = [
            (0.0, 0.0),
            (0.5, 0.520_499_877_8),
            (1.0, 0.842_700_792_9),
            (2.0, 0.995_322_265_0),
            (3.0, 0.999_977_909_5),
        ];
        for (x, y) in table {
            assert!((erf(x) - y).abs() < 1e-10, "erf({x}) = {}", erf(x));
            assert!((erf(-x) + y).abs() < 1e-10);
        }
        // The same, tables 7.2 and 9.8 (which holds exp(-x) I0 and I1).
        assert!((erfc(3.0) / 2.209_049_7e-5 - 1.0).abs() < 1e-7);
        assert!((i0(5.0) * (-5f64).exp() - 0.183_540_812_6).abs() < 1e-10);
        assert!((i1(-5.0) * (-5f64).exp() + 0.163_972_266_9).abs() < 1e-10);
        for x in [-0.999_999_9, -0.7, -1e-9, 1e-30, 0.2, 0.999] {
            assert!((erf(erfinv(x)) - x).abs() <= 1e-13 * f64::abs(x), "{x}: {}", erfinv(x));
        }
        assert_eq!((erfinv(1.0), erfinv(-1.0), erfinv(0.0)), (f64::INFINITY, -f64::INFINITY, 0.0));
        assert!(erfinv(1.5).is_nan() && erfinv(f64::NAN).is_nan());
        assert!(erf(f64::NAN).is_nan());
        assert_eq!(erf(f64::INFINITY), 1.0);
    }
}
