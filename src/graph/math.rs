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

/// The inverse of [`erf`]: Halley's iteration from an elementary estimate (Winitzki 2008). Infinite
/// at -1 and 1, NaN beyond.
pub fn erfinv(x: f64) -> f64 {
    const A: f64 = 0.147;
    if x.abs() >= 1.0 || x == 0.0 {
        return if x.abs() == 1.0 {
            x * f64::INFINITY
        } else if x == 0.0 {
            x
        } else {
            f64::NAN
        };
    }
    let log = (-x * x).ln_1p();
    let half = 2.0 / (std::f64::consts::PI * A) + log / 2.0;
    let start = ((half * half - log / A).sqrt() - half).sqrt().copysign(x);
    (0..3).fold(start, |y, _| {
        // In the tail, the difference of complements keeps the digits.
        let error = if y.abs() < 2.5 {
            erf(y) - x
        } else {
            ((1.0 - x.abs()) - complement(y.abs())) * y.signum()
        };
        let step = error / (std::f64::consts::FRAC_2_SQRT_PI * (-y * y).exp());
        y - step / (1.0 + y * step)
    })
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
        for x in [-0.999_999_94, -0.5, 1e-9, 0.3, 0.999, 0.999_999_94] {
            assert!((erf(erfinv(x)) - x).abs() <= 1e-15, "erfinv({x}) = {}", erfinv(x));
        }
        assert_eq!(erfinv(-1.0), f64::NEG_INFINITY);
        assert!((i0(5.0) * (-5f64).exp() - 0.183_540_812_6).abs() < 1e-10);
        assert!((i1(-5.0) * (-5f64).exp() + 0.163_972_266_9).abs() < 1e-10);
        assert!(erf(f64::NAN).is_nan());
        assert_eq!(erf(f64::INFINITY), 1.0);
    }
}
