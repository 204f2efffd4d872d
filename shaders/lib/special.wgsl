// The complement of the error function, and modified Bessel functions.

#import lib/number
#import lib/exponential

// erfc by a Chebyshev fit of its logarithm (Press et al., Numerical Recipes, section 6.2). The square
// in the exponent is taken in two parts, since its rounding would be multiplied by its size.
fn safe_erfc(x: f32) -> f32 {
    if is_nan(x) {
        return x;
    }
    let z = abs(x);
    if z < 0.5 {
        return 1.0 - safe_erf(x);
    }
    let t = 1.0 / (1.0 + 0.5 * z);
    let low = t * (-0.82215223 + t * 0.17087277);
    let middle = t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + low)));
    let p = -1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806 + middle))));
    let high = leading(min(z, 20.0));
    let rest = min(z, 20.0) - high;
    let tail = t * safe_exp(-high * high) * safe_exp(p - rest * (high + min(z, 20.0)));
    return select(tail, 2.0 - tail, is_negative(x));
}

// Abramowitz and Stegun 9.8.1 to 9.8.4; NaN for infinite arguments, as in JAX. The exponential is taken in two halves, which overflow no
// sooner than the result.
fn bessel_tail(a: f32, p: f32) -> f32 {
    let half = safe_exp(0.5 * a);
    return (half * p / sqrt(a)) * half;
}

fn safe_i0(x: f32) -> f32 {
    let a = abs(x);
    if !is_finite(x) {
        return not_a_number();
    }
    if a < 3.75 {
        let t = (x / 3.75) * (x / 3.75);
        let low = 0.2659732 + t * (0.0360768 + t * 0.0045813);
        return 1.0 + t * (3.5156229 + t * (3.0899424 + t * (1.2067492 + t * low)));
    }
    let u = 3.75 / a;
    let low = u * (-0.02057706 + u * (0.02635537 + u * (-0.01647633 + u * 0.00392377)));
    let p = 0.39894228 + u * (0.01328592 + u * (0.00225319 + u * (-0.00157565 + u * (0.00916281 + low))));
    return bessel_tail(a, p);
}

fn safe_i1(x: f32) -> f32 {
    let a = abs(x);
    if !is_finite(x) {
        return not_a_number();
    }
    if a < 3.75 {
        let t = (x / 3.75) * (x / 3.75);
        let low = 0.15084934 + t * (0.02658733 + t * (0.00301532 + t * 0.00032411));
        return x * (0.5 + t * (0.87890594 + t * (0.51498869 + t * low)));
    }
    let u = 3.75 / a;
    let low = u * (0.02282967 + u * (-0.02895312 + u * (0.01787654 - u * 0.00420059)));
    let p = 0.39894228 + u * (-0.03988024 + u * (-0.00362018 + u * (0.00163801 + u * (-0.01031555 + low))));
    return with_sign(bessel_tail(a, p), x);
}
