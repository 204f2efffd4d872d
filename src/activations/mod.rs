//! `keras.activations`: one row of [`ACTIVATIONS`] each.

mod sparsemax;

use crate::base::error::quote;
use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::layers::config::{Config, Json};

pub use sparsemax::sparsemax;

/// A function applied to a layer's output, by its row in [`ACTIVATIONS`].
#[derive(Clone, Copy)]
pub struct Activation {
    name: &'static str,
    apply: for<'g> fn(Value<'g>) -> Value<'g>,
    /// What is done to whole numbers and booleans first.
    whole: for<'g> fn(Value<'g>) -> Value<'g>,
}

type Function = for<'g> fn(Value<'g>) -> Value<'g>;

/// A function that gives floats.
const fn row(name: &'static str, apply: Function) -> Activation {
    Activation { name, apply, whole: floats }
}

/// A function that gives whole numbers of them.
const fn row_of_whole(name: &'static str, apply: Function, whole: Function) -> Activation {
    Activation { name, apply, whole }
}

fn floats(x: Value<'_>) -> Value<'_> {
    let whole = x.dtype().is_int() || x.dtype() == DType::Bool;
    if whole { x.cast(DType::Float32) } else { x }
}

/// Numbers that can be negated: Keras wraps unsigned ones around, and refuses booleans.
fn signed_floats(x: Value<'_>) -> Value<'_> {
    signed(floats(x), x.dtype())
}

fn signed_integers(x: Value<'_>) -> Value<'_> {
    signed(integers(x), x.dtype())
}

fn signed(x: Value<'_>, dtype: DType) -> Value<'_> {
    if dtype.is_unsigned_int() {
        let what = format!("an activation of {dtype} that needs negative numbers");
        return x.graph().failed(Error::Unsupported(what));
    }
    x
}

fn integers(x: Value<'_>) -> Value<'_> {
    if x.dtype() == DType::Bool { x.cast(DType::Int32) } else { x }
}

/// Negative branch of the scaled exponential unit (Klambauer et al. 2017).
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

/// All activations with Keras's default arguments, under the names that configs use.
#[allow(
    clippy::redundant_closure_for_method_calls,
    reason = "a method of `Value<'g>` is no function for every `'g`"
)]
pub const ACTIVATIONS: &[Activation] = &[
    row_of_whole("linear", |x| x, |x| x),
    row_of_whole("relu", relu, integers),
    row("relu6", relu6),
    row("leaky_relu", |x| leaky_relu(x, 0.2)),
    row("elu", |x| elu(x, 1.0)),
    row("selu", |x| elu(x, SELU_ALPHA) * SELU_SCALE),
    row("celu", |x| x.maximum(x.scalar_like(0.0)) + x.minimum(x.scalar_like(0.0)).unary("expm1")),
    row("gelu", |x| gelu(x, false)),
    row("sigmoid", |x| x.sigmoid()),
    row("hard_sigmoid", hard_sigmoid),
    row("silu", |x| x * x.sigmoid()),
    row("hard_silu", |x| x * hard_sigmoid(x)),
    row("tanh", |x| x.tanh()),
    row_of_whole("hard_tanh", hard_tanh, signed_integers),
    row("tanh_shrink", |x| x - x.tanh()),
    row("soft_shrink", |x| {
        let shrunk = x.abs() - 0.5;
        shrunk.binary("gt", shrunk.like(0.0)).select(shrunk * x.unary("sign"), x.like(0.0))
    }),
    row("hard_shrink", |x| x.abs().binary("gt", x.like(0.5)).select(x, x.like(0.0))),
    row("softplus", softplus),
    row("softsign", |x| x / (x.abs() + 1.0)),
    row("squareplus", |x| (x + (x * x + 4.0).sqrt()) * 0.5),
    row("exponential", |x| x.exp()),
    row_of_whole("log_sigmoid", |x| -softplus(-x), signed_floats),
    row("mish", |x| x * softplus(x).tanh()),
    row_of_whole("softmax", |x| last_axis(x, Value::softmax), signed_floats),
    row_of_whole("log_softmax", |x| last_axis(x, Value::log_softmax), signed_floats),
    row("glu", glu),
    row("sparse_plus", |x| {
        let middle = (x + 1.0).square() * 0.25;
        let upper = x.binary("lt", x.like(1.0)).select(middle, x);
        x.binary("le", x.like(-1.0)).select(x.like(0.0), upper)
    }),
    row("sparsemax", |x| match x.rank().checked_sub(1) {
        Some(axis) => sparsemax(x, axis),
        None => x.graph().failed(Error::shape("sparsemax", "()", "at least one axis")),
    }),
    row("sparse_sigmoid", |x| clip(x * 0.5 + 0.5, 0.0, 1.0)),
];

/// Other names under which Keras finds an activation.
const ALIASES: &[(&str, &str)] = &[
    ("swish", "silu"),
    ("hard_swish", "hard_silu"),
    ("hardsigmoid", "hard_sigmoid"),
    ("softshrink", "soft_shrink"),
    ("tanhshrink", "tanh_shrink"),
];

impl Activation {
    /// The identity: what Keras takes null for.
    pub const LINEAR: Activation = ACTIVATIONS[0];

    /// A function of the user's own.
    pub fn custom(name: &'static str, apply: for<'g> fn(Value<'g>) -> Value<'g>) -> Activation {
        Activation { name, apply, whole: |x| x }
    }

    /// The activation called `name`.
    pub fn named(name: &str) -> Option<Activation> {
        let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, n)| n);
        ACTIVATIONS.iter().copied().find(|a| a.name == name)
    }

    /// The activation under a config key: a name, a function record, or null for linear.
    ///
    /// # Errors
    /// [`Error::UnknownClass`] if it names no activation of Keras or of the user.
    pub fn from_config(config: &Config, key: &str) -> Result<Activation> {
        let unknown = |name: &str, module: &str| Error::UnknownClass {
            kind: "activation",
            name: quote(name),
            module: quote(module),
            hint: format!(
                "in {} ({key}); expected a name of keras.activations, or one registered with \
                 CustomObjects::activation",
                config.owner()
            ),
        };
        let value = config.get(key);
        match value {
            Json::Null => Ok(Activation::LINEAR),
            Json::String(name) => Activation::named(name)
                .or_else(|| config.custom_activation(name))
                .ok_or_else(|| unknown(name, "")),
            record => {
                let text = |k: &str| record.get(k).and_then(Json::as_str).unwrap_or("");
                let function = text("class_name") == "function" && text("module") == "builtins";
                let found = Activation::named(text("config"))
                    .or_else(|| config.custom_activation(text("config")));
                match found.filter(|_| function) {
                    Some(activation) => Ok(activation),
                    None if function => Err(unknown(text("config"), text("module"))),
                    None => Err(unknown(text("class_name"), text("module"))),
                }
            }
        }
    }

    /// The name in `keras.activations`, or the one that a user's function is registered under.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The function of a value of any shape, which the result has too; `glu` halves the last axis.
    ///
    /// Whole numbers become float32 where the function is not one of whole numbers.
    pub fn apply<'g>(&self, x: Value<'g>) -> Value<'g> {
        (self.apply)((self.whole)(x))
    }
}

impl std::fmt::Debug for Activation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

fn last_axis<'g>(x: Value<'g>, f: impl Fn(Value<'g>, &[usize]) -> Value<'g>) -> Value<'g> {
    match x.rank() {
        0 => x.graph().failed(Error::shape("softmax", "a scalar", "at least one axis")),
        rank => f(x, &[rank - 1]),
    }
}

/// `x` where positive, else 0; NaN stays. The slope at 0 is 0, as in JAX.
pub fn relu(x: Value<'_>) -> Value<'_> {
    let zero = x.like(0.0);
    x.binary("le", zero).select(zero, x)
}

/// `x` between 0 and 6; NaN stays. The slope at both is 0, as in JAX.
pub fn relu6(x: Value<'_>) -> Value<'_> {
    let six = x.like(6.0);
    x.binary("ge", six).select(six, relu(x))
}

/// `x` between -1 and 1; NaN stays. The slope at both is 1, as in JAX.
fn hard_tanh(x: Value<'_>) -> Value<'_> {
    let (low, high) = (x.like(-1.0), x.like(1.0));
    x.binary("gt", high).select(high, x.binary("lt", low).select(low, x))
}

/// `x` between two bounds; NaN stays.
pub fn clip(x: Value<'_>, low: f64, high: f64) -> Value<'_> {
    x.maximum(x.scalar_like(low)).minimum(x.scalar_like(high))
}

/// `x` where positive, else `slope · x`.
pub fn leaky_relu(x: Value<'_>, slope: f64) -> Value<'_> {
    let x = floats(x);
    x.binary("lt", x.like(0.0)).select(x * slope, x)
}

/// `x` where positive, else `alpha · (exp(x) − 1)`.
pub fn elu(x: Value<'_>, alpha: f64) -> Value<'_> {
    let x = floats(x);
    let positive = x.binary("gt", x.like(0.0));
    // Above 0 the exponential may overflow, and its gradient be 0 · ∞.
    positive.select(x, positive.select(x.like(0.0), x).unary("expm1") * alpha)
}

/// Gaussian error linear unit, exact or by tanh (Hendrycks and Gimpel 2016).
pub fn gelu(x: Value<'_>, approximate: bool) -> Value<'_> {
    if approximate {
        let inner = (x + x * x * x * 0.044_715) * (2.0 / std::f64::consts::PI).sqrt();
        x * 0.5 * (inner.tanh() + 1.0)
    } else {
        x * 0.5 * ((x * std::f64::consts::FRAC_1_SQRT_2).unary("erf") + 1.0)
    }
}

/// `log(1 + exp(x))`, without overflow.
pub fn softplus(x: Value<'_>) -> Value<'_> {
    // At 0 the slope of the first part is 1, of the second -1/2: a maximum would share its slope.
    let zero = x.like(0.0);
    x.binary("lt", zero).select(zero, x) + (-x.abs()).exp().unary("log1p")
}

/// `x / 6 + 1 / 2` between 0 and 1. Scaled after it is clipped, as in JAX: next to -3 the sum is exact.
fn hard_sigmoid(x: Value<'_>) -> Value<'_> {
    relu6(x + 3.0) / 6.0
}

/// Gated linear unit: the first half of the last axis times the sigmoid of the second.
fn glu(x: Value<'_>) -> Value<'_> {
    let shape = x.shape();
    match shape.last() {
        Some(&n) if n % 2 == 0 => {
            let axis = shape.rank() - 1;
            x.narrow(axis, 0, n / 2) * x.narrow(axis, n / 2, n / 2).sigmoid()
        }
        _ => {
            let error = Error::shape("glu", shape.to_string(), "an even last extent");
            x.graph().failed(error)
        }
    }
}
