//! Functions of one element. A new one is one row of [`UNARY`].

use crate::base::{DType, Error, Result, Spec};
use crate::graph::math;
use crate::graph::{FusionClass, OpDef, Value, Vjp};
use crate::tensor::{Array, Words};

/// A function of one element, by its row in [`UNARY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unary {
    /// The row's name in [`UNARY`].
    pub name: &'static str,
}

/// What is to know of a function of one element.
pub struct UnaryRow {
    /// What [`Value::unary`] calls it.
    pub name: &'static str,
    /// WGSL expression of `x`; functions come from `shaders/lib/math.wgsl`. `LANE` stands for the
    /// name of the lane: f32, i32 or u32.
    pub wgsl: &'static str,
    /// The function on the host, in double precision; 1 is true where the result is boolean.
    pub host: fn(f64) -> f64,
    /// Gradient from the incoming gradient `g`, the input `x` and the output `y`.
    pub vjp: for<'g> fn(g: Value<'g>, x: Value<'g>, y: Value<'g>) -> Option<Value<'g>>,
    /// The dtypes it takes and gives.
    pub domain: Domain,
}

/// Which dtypes a function takes and gives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// Floats to the same float.
    Float,
    /// Any number to the same dtype.
    Number,
    /// Floats to booleans.
    Test,
    /// Booleans to booleans.
    Bool,
}

use Domain::{Bool, Float, Number, Test};

const fn row(
    name: &'static str,
    domain: Domain,
    wgsl: &'static str,
    host: fn(f64) -> f64,
    vjp: for<'g> fn(Value<'g>, Value<'g>, Value<'g>) -> Option<Value<'g>>,
) -> UnaryRow {
    UnaryRow { name, wgsl, host, vjp, domain }
}

/// All functions of one element.
pub const UNARY: &[UnaryRow] = &[
    row("neg", Number, "neg_LANE(x)", |x| -x, |g, _, _| Some(-g)),
    row("abs", Number, "abs(x)", f64::abs, |g, x, _| {
        // At 0, as in JAX, the slope is 1.
        Some(x.binary("lt", x.like(0.0)).select(-g, g))
    }),
    row("sign", Number, "sign_LANE(x)", math::sign, |_, _, _| None),
    row("floor", Float, "floor(x)", f64::floor, |_, _, _| None),
    row("ceil", Float, "ceil(x)", f64::ceil, |_, _, _| None),
    row("round", Float, "round(x)", f64::round_ties_even, |_, _, _| None),
    row("trunc", Float, "trunc(x)", f64::trunc, |_, _, _| None),
    row("sqrt", Float, "safe_sqrt(x)", f64::sqrt, |g, _, y| Some(g * 0.5 / y)),
    row("rsqrt", Float, "safe_rsqrt(x)", |x| 1.0 / x.sqrt(), |g, x, y| Some(g * y * -0.5 / x)),
    row("cbrt", Float, "safe_cbrt(x)", f64::cbrt, |g, _, y| Some(g / (y * y) / 3.0)),
    row("recip", Float, "1.0 / x", f64::recip, |g, _, y| Some(-(g * y * y))),
    row("exp", Float, "safe_exp(x)", f64::exp, |g, _, y| Some(g * y)),
    row("expm1", Float, "safe_expm1(x)", f64::exp_m1, |g, _, y| Some(g * (y + 1.0))),
    row("log", Float, "safe_log(x)", f64::ln, |g, x, _| Some(g / x)),
    row("log1p", Float, "safe_log1p(x)", f64::ln_1p, |g, x, _| Some(g / (x + 1.0))),
    row("sin", Float, "safe_sin(x)", f64::sin, |g, x, _| Some(g * x.unary("cos"))),
    row("cos", Float, "safe_cos(x)", f64::cos, |g, x, _| Some(-(g * x.unary("sin")))),
    row("tan", Float, "safe_tan(x)", f64::tan, |g, _, y| Some(g * (y * y + 1.0))),
    row("asin", Float, "safe_asin(x)", f64::asin, |g, x, _| {
        Some(g * (-(x * x) + 1.0).unary("rsqrt"))
    }),
    row("acos", Float, "safe_acos(x)", f64::acos, |g, x, _| {
        Some(-(g * (-(x * x) + 1.0).unary("rsqrt")))
    }),
    row("atan", Float, "safe_atan(x)", f64::atan, |g, x, _| Some(g / (x * x + 1.0))),
    row("sinh", Float, "safe_sinh(x)", f64::sinh, |g, x, _| Some(g * x.unary("cosh"))),
    row("cosh", Float, "safe_cosh(x)", f64::cosh, |g, x, _| Some(g * x.unary("sinh"))),
    row("tanh", Float, "safe_tanh(x)", f64::tanh, |g, _, y| Some(g * (-(y * y) + 1.0))),
    row("asinh", Float, "safe_asinh(x)", f64::asinh, |g, x, _| {
        Some(g * (x * x + 1.0).unary("rsqrt"))
    }),
    row("acosh", Float, "safe_acosh(x)", f64::acosh, |g, x, _| {
        Some(g * (x * x - 1.0).unary("rsqrt"))
    }),
    row("atanh", Float, "safe_atanh(x)", f64::atanh, |g, x, _| Some(g / (-(x * x) + 1.0))),
    row("sigmoid", Float, "safe_sigmoid(x)", math::sigmoid, |g, _, y| Some(g * y * (-y + 1.0))),
    row("erf", Float, "safe_erf(x)", math::erf, |g, x, _| {
        Some(g * (-(x * x)).unary("exp") * std::f64::consts::FRAC_2_SQRT_PI)
    }),
    row("erfc", Float, "safe_erfc(x)", math::erfc, |g, x, _| {
        Some(g * (-(x * x)).unary("exp") * -std::f64::consts::FRAC_2_SQRT_PI)
    }),
    row("erfinv", Float, "safe_erfinv(x)", math::erfinv, |g, _, y| {
        Some(g * (y * y).unary("exp") * (std::f64::consts::PI.sqrt() / 2.0))
    }),
    row("i0", Float, "safe_i0(x)", math::i0, |g, x, _| Some(g * x.unary("i1"))),
    row("i1", Float, "safe_i1(x)", math::i1, |g, x, y| {
        // At zero, the limit of y / x.
        let slope = x.binary("eq", x.like(0.0)).select(x.like(0.5), y / x);
        Some(g * (x.unary("i0") - slope))
    }),
    row("isnan", Test, "u32(is_nan(x))", |x| f64::from(x.is_nan()), |_, _, _| None),
    row("isinf", Test, "u32(is_inf(x))", |x| f64::from(x.is_infinite()), |_, _, _| None),
    row("isfinite", Test, "u32(is_finite(x))", |x| f64::from(x.is_finite()), |_, _, _| None),
    row("not", Bool, "1u - x", |x| 1.0 - x, |_, _, _| None),
];

impl Unary {
    /// The function called `name` in [`UNARY`].
    pub fn named(name: &'static str) -> Unary {
        Unary { name }
    }

    /// The function's row.
    pub fn row(&self) -> Result<&'static UnaryRow> {
        UNARY
            .iter()
            .find(|row| row.name == self.name)
            .ok_or_else(|| Error::Internal(format!("no unary function '{}'", self.name)))
    }
}

impl OpDef for Unary {
    fn label(&self) -> String {
        self.name.into()
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        let dtype = inputs[0].dtype;
        let (allowed, expected) = match self.row()?.domain {
            Float | Test => (dtype.is_float(), "a floating dtype"),
            Number => (dtype != DType::Bool, "a number"),
            Bool => (dtype == DType::Bool, "bool"),
        };
        if !allowed {
            return Err(Error::DType {
                context: self.name.into(),
                found: dtype.name().into(),
                expected: expected.into(),
            });
        }
        let output = if self.row()?.domain == Test { DType::Bool } else { dtype };
        Ok(Spec::new(inputs[0].shape.clone(), output))
    }

    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        vec![self.row().ok().and_then(|row| (row.vjp)(cx.grad, cx.inputs[0], cx.output))]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let f = self.row()?.host;
        let words = match &inputs[0].words {
            Words::F32(v) if output.dtype == DType::Bool => {
                Words::U32(v.iter().map(|&x| f(f64::from(x)) as u32).collect())
            }
            Words::F32(v) => Words::F32(v.iter().map(|&x| f(f64::from(x)) as f32).collect()),
            Words::I32(v) => Words::I32(v.iter().map(|&x| f(f64::from(x)) as i64 as i32).collect()),
            Words::U32(v) => Words::U32(v.iter().map(|&x| f(f64::from(x)) as i64 as u32).collect()),
        };
        Ok(crate::graph::array(output.clone(), words))
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Map
    }
}
