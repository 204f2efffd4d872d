// The number whose error function is x: Giles's approximation in single precision (2010).

#import lib/number
#import lib/exponential

fn inverse_erf_center(w: f32) -> f32 {
    let t = w - 2.5;
    var p = 2.81022636e-08;
    p = 3.43273939e-07 + p * t;
    p = -3.5233877e-06 + p * t;
    p = -4.39150654e-06 + p * t;
    p = 0.00021858087 + p * t;
    p = -0.00125372503 + p * t;
    p = -0.00417768164 + p * t;
    p = 0.246640727 + p * t;
    return 1.50140941 + p * t;
}

fn inverse_erf_tail(w: f32) -> f32 {
    let t = sqrt(w) - 3.0;
    var p = -0.000200214257;
    p = 0.000100950558 + p * t;
    p = 0.00134934322 + p * t;
    p = -0.00367342844 + p * t;
    p = 0.00573950773 + p * t;
    p = -0.0076224613 + p * t;
    p = 0.00943887047 + p * t;
    p = 1.00167406 + p * t;
    return 2.83297682 + p * t;
}

fn safe_erfinv(x: f32) -> f32 {
    if is_nan(x) || abs(x) > 1.0 {
        return not_a_number();
    }
    if abs(x) == 1.0 {
        return with_sign(infinity(), x);
    }
    // Near 1 the distance to it is exact, near 0 the square.
    var w = -safe_log1p(-x * x);
    if abs(x) > 0.5 {
        w = -safe_log((1.0 - x) * (1.0 + x));
    }
    if w < 5.0 {
        return inverse_erf_center(w) * x;
    }
    return inverse_erf_tail(w) * x;
}
