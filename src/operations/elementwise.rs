//! `keras.ops.numpy`, element by element.

use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::operations::call::{Call, Operand};
use crate::operations::operations;
use crate::operations::promotion::{Kind, result_type};

operations! {
    /// Functions of single elements.
    ELEMENTWISE:
    Add(x1, x2) |c| logical_or_binary(c, "or", "add");
    Subtract(x1, x2) |c| binary(c, "sub");
    Multiply(x1, x2) |c| logical_or_binary(c, "and", "mul");
    Divide(x1, x2) |c| float_binary(c, "div");
    TrueDivide(x1, x2) |c| float_binary(c, "div");
    DivideNoNan(x1, x2) |c| {
        let (a, b) = c.float_pair()?;
        Ok(b.binary("eq", b.like(0.0)).select(a.like(0.0), a / b))
    };
    FloorDivide(x1, x2) |c| number_binary(c, "floor_div");
    Mod(x1, x2) |c| number_binary(c, "mod");
    Fmod(x1, x2) |c| {
        let (a, b) = number_pair(c)?;
        let (size, by) = (a.unary("abs"), b.unary("abs"));
        let rest = size.binary("mod", by);
        Ok(a.binary("lt", a.like(0.0)).select(-rest, rest))
    };
    Power(x1, x2) |c| number_binary(c, "pow");
    Maximum(x1, x2) |c| binary(c, "max");
    Minimum(x1, x2) |c| binary(c, "min");
    Fmax(x1, x2) |c| prefer_number(c, "gt");
    Fmin(x1, x2) |c| prefer_number(c, "lt");
    Arctan2(x1, x2) |c| float_binary(c, "atan2");
    Hypot(x1, x2) |c| {
        let (a, b) = c.float_pair()?;
        Ok(hypotenuse(a.unary("abs"), b.unary("abs")))
    };
    Logaddexp(x1, x2) |c| {
        let (a, b) = c.float_pair()?;
        Ok(log_add_exp(a, b))
    };
    Logaddexp2(x1, x2) |c| {
        let (a, b) = c.float_pair()?;
        let ln2 = std::f64::consts::LN_2;
        Ok(log_add_exp(a * ln2, b * ln2) / ln2)
    };
    Heaviside(x1, x2) |c| {
        let (a, b) = c.float_pair()?;
        let step = a.binary("lt", a.like(0.0)).select(a.like(0.0), a.like(1.0));
        let step = a.binary("eq", a.like(0.0)).select(b, step);
        Ok(a.unary("isnan").select(a, step))
    };

    Equal(x1, x2) |c| binary(c, "eq");
    NotEqual(x1, x2) |c| binary(c, "ne");
    Greater(x1, x2) |c| binary(c, "gt");
    GreaterEqual(x1, x2) |c| binary(c, "ge");
    Less(x1, x2) |c| binary(c, "lt");
    LessEqual(x1, x2) |c| binary(c, "le");
    LogicalAnd(x1, x2) |c| logical(c, "and");
    LogicalOr(x1, x2) |c| logical(c, "or");
    LogicalXor(x1, x2) |c| logical(c, "xor");
    LogicalNot(x) |c| Ok(c.value(0)?.cast(DType::Bool).unary("not"));
    BitwiseAnd(x, y) |c| binary(c, "and");
    BitwiseOr(x, y) |c| binary(c, "or");
    BitwiseXor(x, y) |c| binary(c, "xor");
    Isnan(x) |c| test(c, "isnan");
    Isinf(x) |c| test(c, "isinf");
    Isfinite(x) |c| match c.value(0)? {
        x if x.dtype().is_float() => Ok(x.unary("isfinite")),
        x => Ok(x.binary("eq", x)),
    };
    Isposinf(x) |c| {
        let x = c.float(0)?;
        Ok(x.binary("eq", x.like(f64::INFINITY)))
    };
    Isneginf(x) |c| {
        let x = c.float(0)?;
        Ok(x.binary("eq", x.like(f64::NEG_INFINITY)))
    };
    Isclose(x1, x2, rtol, atol) { equal_nan: false } |c| is_close(c);
    AllClose(x1, x2) { rtol: 1e-5, atol: 1e-8, equal_nan: false } |c| {
        let (a, b) = c.float_pair()?;
        let (rtol, atol) = (c.config.float("rtol")?, c.config.float("atol")?);
        let close = near(c, (a, b), a.like(rtol), a.like(atol))?;
        Ok(close.min(&(0..close.rank()).collect::<Vec<_>>()))
    };
    Isreal(x) |c| {
        let x = c.value(0)?;
        Ok(c.cx.graph().scalar(1.0, DType::Bool).broadcast(x.shape()))
    };
    Where(condition, x1, x2) |c| {
        if c.arg(1).is_none() && c.arg(2).is_none() {
            let what = "where without values: how many positions it gives depends on the data";
            return Err(Error::Unsupported(what.into()));
        }
        let (a, b) = (c.operand(1)?, c.operand(2)?);
        let dtype = result_type(&[a.kind(), b.kind()]);
        let condition = c.value(0)?.cast(DType::Bool);
        Ok(condition.select(a.cast(c.cx, dtype), b.cast(c.cx, dtype)))
    };
    Clip(x) { x_min: null, x_max: null } |c| clip(c);

    Negative(x) |c| Ok(-c.value(0)?);
    Abs(x) |c| same_kind(c, "abs");
    Absolute(x) |c| same_kind(c, "abs");
    Fabs(x) |c| Ok(c.float(0)?.abs());
    Sign(x) |c| same_kind(c, "sign");
    Square(x) |c| match c.value(0)? {
        x if x.dtype() == DType::Bool => Ok(x.cast(DType::Int32)),
        x => Ok(x.square()),
    };
    Reciprocal(x) |c| float(c, "recip");
    Floor(x) |c| float(c, "floor");
    Ceil(x) |c| float(c, "ceil");
    Trunc(x) |c| floats_only(c, "trunc");
    Round(x) { decimals: 0 } |c| round(c);
    Sqrt(x) |c| float(c, "sqrt");
    Cbrt(x) |c| float(c, "cbrt");
    Exp(x) |c| float(c, "exp");
    Exp2(x) |c| Ok((c.float(0)? * std::f64::consts::LN_2).exp());
    Expm1(x) |c| float(c, "expm1");
    Log(x) |c| float(c, "log");
    Log1p(x) |c| float(c, "log1p");
    Log2(x) |c| Ok(c.float(0)?.log() / std::f64::consts::LN_2);
    Log10(x) |c| Ok(c.float(0)?.log() / std::f64::consts::LN_10);
    I0(x) |c| float(c, "i0");
    Sin(x) |c| float(c, "sin");
    Cos(x) |c| float(c, "cos");
    Tan(x) |c| float(c, "tan");
    Sinh(x) |c| float(c, "sinh");
    Cosh(x) |c| float(c, "cosh");
    Tanh(x) |c| float(c, "tanh");
    Arcsin(x) |c| float(c, "asin");
    Arccos(x) |c| float(c, "acos");
    Arctan(x) |c| float(c, "atan");
    Arcsinh(x) |c| float(c, "asinh");
    Arccosh(x) |c| float(c, "acosh");
    Arctanh(x) |c| float(c, "atanh");
    Sinc(x) |c| {
        let x = c.float(0)? * std::f64::consts::PI;
        Ok(x.binary("eq", x.like(0.0)).select(x.like(1.0), x.unary("sin") / x))
    };
    Deg2rad(x) |c| Ok(c.float(0)? * (std::f64::consts::PI / 180.0));
    Rad2deg(x) |c| Ok(c.float(0)? * (180.0 / std::f64::consts::PI));
    NanToNum(x) { nan: 0.0, posinf: null, neginf: null } |c| nan_to_num(c);
    Copy(x) |c| c.value(0);
    Conj(x) |c| c.value(0);
    Conjugate(x) |c| c.value(0);
    Real(x) |c| c.value(0);
    Imag(x) |c| {
        let x = c.value(0)?;
        Ok(x.like(0.0))
    };
    Angle(x) |c| {
        // Of a real number: half a turn where it is negative.
        let x = c.float(0)?;
        Ok(x.like(0.0).binary("atan2", x))
    };
    ZerosLike(x) { dtype: null } |c| filled(c, Operand::Int(0));
    OnesLike(x) { dtype: null } |c| filled(c, Operand::Int(1));
    EmptyLike(x) { dtype: null } |c| filled(c, Operand::Int(0));
    FullLike(x, fill_value) { dtype: null } |c| filled(c, c.operand(1)?);
}

fn binary<'g>(c: &Call<'_, 'g>, name: &'static str) -> Result<Value<'g>> {
    let (a, b) = c.pair()?;
    Ok(a.binary(name, b))
}

fn float_binary<'g>(c: &Call<'_, 'g>, name: &'static str) -> Result<Value<'g>> {
    let (a, b) = c.float_pair()?;
    Ok(a.binary(name, b))
}

/// Two operands that are at least integers.
fn number_pair<'g>(c: &Call<'_, 'g>) -> Result<(Value<'g>, Value<'g>)> {
    let (a, b) = c.pair()?;
    let number = |v: Value<'g>| if v.dtype() == DType::Bool { v.cast(DType::Int32) } else { v };
    Ok((number(a), number(b)))
}

fn number_binary<'g>(c: &Call<'_, 'g>, name: &'static str) -> Result<Value<'g>> {
    let (a, b) = number_pair(c)?;
    Ok(a.binary(name, b))
}

/// A sum or product, which for booleans is a disjunction or conjunction.
fn logical_or_binary<'g>(
    c: &Call<'_, 'g>,
    logical: &'static str,
    name: &'static str,
) -> Result<Value<'g>> {
    let (a, b) = c.pair()?;
    Ok(a.binary(if a.dtype() == DType::Bool { logical } else { name }, b))
}

fn logical<'g>(c: &Call<'_, 'g>, name: &'static str) -> Result<Value<'g>> {
    let [a, b] = [c.value(0)?, c.value(1)?].map(|v| v.cast(DType::Bool));
    Ok(a.binary(name, b))
}

/// The larger or smaller element, or the one that is not NaN.
/// The first of two numbers where a comparison holds or the second is NaN, else the second: of equal
/// ones it has the slope, as in JAX.
fn prefer_number<'g>(c: &Call<'_, 'g>, comparison: &'static str) -> Result<Value<'g>> {
    let (a, b) = c.pair()?;
    let first = a.binary(comparison, b);
    let first = if b.dtype().is_float() { first.binary("or", b.unary("isnan")) } else { first };
    Ok(first.select(a, b))
}

fn float<'g>(c: &Call<'_, 'g>, name: &'static str) -> Result<Value<'g>> {
    Ok(c.float(0)?.unary(name))
}

fn floats_only<'g>(c: &Call<'_, 'g>, name: &'static str) -> Result<Value<'g>> {
    let x = c.value(0)?;
    Ok(if x.dtype().is_float() { x.unary(name) } else { x })
}

/// A function that keeps the dtype and does nothing to booleans.
fn same_kind<'g>(c: &Call<'_, 'g>, name: &'static str) -> Result<Value<'g>> {
    let x = c.value(0)?;
    let idle = x.dtype() == DType::Bool || (name == "abs" && x.dtype().is_unsigned_int());
    Ok(if idle { x } else { x.unary(name) })
}

/// A test that only floats can pass.
fn test<'g>(c: &Call<'_, 'g>, name: &'static str) -> Result<Value<'g>> {
    let x = c.value(0)?;
    Ok(if x.dtype().is_float() { x.unary(name) } else { x.binary("ne", x) })
}

/// The root of the sum of squares of two sizes, none of which overflows. As in C, an infinite side
/// makes it infinite, whatever the other is.
fn hypotenuse<'g>(a: Value<'g>, b: Value<'g>) -> Value<'g> {
    let (long, short) = (a.maximum(b), a.minimum(b));
    let ratio = short / long;
    let length = long * (ratio.square() + 1.0).sqrt();
    let finite = long.binary("eq", long.like(0.0)).select(long, length);
    let infinite = a.unary("isinf").binary("or", b.unary("isinf"));
    infinite.select(a.like(f64::INFINITY), finite)
}

fn log_add_exp<'g>(a: Value<'g>, b: Value<'g>) -> Value<'g> {
    let high = a.maximum(b);
    let sum = high + (-(a - b).abs()).exp().unary("log1p");
    // Equal infinities have no difference; of equal numbers each has half of the slope.
    a.binary("eq", b).select(a * 0.5 + b * 0.5 + std::f64::consts::LN_2, sum)
}

fn is_close<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let (a, b) = c.float_pair()?;
    let bound = |position: usize, default: f64| -> Result<Value<'g>> {
        Ok(c.optional(position)?.unwrap_or(Operand::Float(default)).cast(c.cx, a.dtype()))
    };
    near(c, (a, b), bound(2, 1e-5)?, bound(3, 1e-8)?)
}

/// Whether elements differ by at most `atol + rtol · |b|`.
fn near<'g>(
    c: &Call<'_, 'g>,
    (a, b): (Value<'g>, Value<'g>),
    rtol: Value<'g>,
    atol: Value<'g>,
) -> Result<Value<'g>> {
    let close = (a - b).abs().binary("le", atol + rtol * b.abs());
    let finite = a.unary("isfinite").binary("and", b.unary("isfinite"));
    let close = close.binary("and", finite).binary("or", a.binary("eq", b));
    let both_nan = a.unary("isnan").binary("and", b.unary("isnan"));
    Ok(if c.config.bool("equal_nan")? { close.binary("or", both_nan) } else { close })
}

fn clip<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.value(0)?;
    let x = if x.dtype() == DType::Bool { x.cast(DType::Int32) } else { x };
    let bounds = [("x_min", "max"), ("x_max", "min")];
    let mut kinds = vec![Kind::Strong(x.dtype())];
    for (key, _) in bounds {
        if c.config.get(key).is_f64() {
            kinds.push(Kind::WeakFloat);
        }
    }
    let mut y = x.cast(result_type(&kinds));
    for (key, name) in bounds {
        if !c.config.is_null(key) {
            let bound = crate::layers::numbers::numbers(c.config, key)?.cast(y.dtype());
            y = y.binary(name, c.cx.graph().constant(bound));
        }
    }
    Ok(y)
}

fn round<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let (x, decimals) = (c.value(0)?, c.config.int("decimals")?);
    let digits =
        i32::try_from(decimals).map_err(|_| c.config.bad("decimals", "a small integer"))?;
    let factor = 10f64.powi(digits);
    match x.dtype() {
        dtype if dtype.is_float() && digits == 0 => Ok(x.unary("round")),
        dtype if dtype.is_float() => Ok((x * factor).unary("round") / factor),
        dtype if digits < 0 => {
            Ok(((x.cast(DType::Float32) * factor).unary("round") / factor).cast(dtype))
        }
        _ => Ok(x),
    }
}

fn nan_to_num<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.value(0)?;
    if !x.dtype().is_float() {
        return Ok(x);
    }
    let largest = match x.dtype() {
        DType::Float16 => 65504.0,
        DType::BFloat16 => 3.389_531_389_251_535_5e38,
        _ => f64::from(f32::MAX),
    };
    let high = c.config.optional_float("posinf")?.unwrap_or(largest);
    let low = c.config.optional_float("neginf")?.unwrap_or(-largest);
    let y = x.unary("isnan").select(x.like(c.config.float("nan")?), x);
    let y = x.binary("eq", x.like(f64::INFINITY)).select(x.like(high), y);
    Ok(x.binary("eq", x.like(f64::NEG_INFINITY)).select(x.like(low), y))
}

/// A tensor of the shape of the first argument, all of one value.
fn filled<'g>(c: &Call<'_, 'g>, fill: Operand<'g>) -> Result<Value<'g>> {
    let x = c.value(0)?;
    let dtype = c.dtype("dtype")?.unwrap_or(x.dtype());
    Ok(fill.cast(c.cx, dtype).broadcast(x.shape()))
}
