//! Distances between numbers.

use crate::activations::softplus;
use crate::graph::Value;
use crate::losses::function::{epsilon_beside, floats, formula, functions};
use crate::losses::same_rank;
use crate::operations::formulas::{EPSILON, mean_axis, normalize, sum_axis};

functions! {
    /// Losses of regression; those of two numbers are averaged over the last axis.
    REGRESSION:
    mean_squared_error |_| formula(|t, p| mean_of(t, p, |t, p| (t - p).square()));
    mean_absolute_error |_| formula(|t, p| mean_of(t, p, |t, p| (t - p).abs()));
    mean_absolute_percentage_error |_| formula(|t, p| {
        let least = epsilon_beside(p);
        mean_of(t, p, |t, p| ((t - p) / t.abs().maximum(t.scalar_like(least))).abs()) * 100.0
    });
    mean_squared_logarithmic_error |_| formula(|t, p| {
        mean_of(t, p, |t, p| (log_plus_one(p) - log_plus_one(t)).square())
    });
    huber { delta: 1.0 } |c| {
        let delta = c.float("delta")?;
        formula(move |t, p| mean_of(t, p, |t, p| {
            let error = p - t;
            let (size, delta) = (error.abs(), error.scalar_like(delta));
            let far = delta * size - delta.square() * 0.5;
            size.binary("le", delta).select(error.square() * 0.5, far)
        }))
    };
    log_cosh |_| formula(|t, p| mean_of(t, p, |t, p| {
        let x = p - t;
        x + softplus(x * -2.0) - std::f64::consts::LN_2
    }));
    cosine_similarity { axis: (-1) } |c| {
        let axis = c.int("axis")?;
        formula(move |t, p| -cosine(t, p, axis))
    };
    poisson |_| formula(|t, p| {
        let epsilon = epsilon_beside(p);
        let (t, p) = floats(t, p);
        mean_axis(p - t * (p + epsilon).log(), -1)
    });
}

/// `log(1 + x)` of what is positive.
fn log_plus_one(x: Value<'_>) -> Value<'_> {
    (x.maximum(x.scalar_like(EPSILON)) + 1.0).log()
}

/// Mean over the last axis of a function of labels and predictions of one rank.
fn mean_of<'g>(
    y_true: Value<'g>,
    y_pred: Value<'g>,
    f: impl Fn(Value<'g>, Value<'g>) -> Value<'g>,
) -> Value<'g> {
    let (y_true, y_pred) = floats(y_true, y_pred);
    let (y_true, y_pred) = same_rank(y_true, y_pred);
    mean_axis(f(y_true, y_pred), -1)
}

/// Cosine of the angle between labels and predictions along an axis.
pub(crate) fn cosine<'g>(y_true: Value<'g>, y_pred: Value<'g>, axis: i64) -> Value<'g> {
    let (y_true, y_pred) = floats(y_true, y_pred);
    let (y_true, y_pred) = same_rank(y_true, y_pred);
    sum_axis(normalize(y_true, axis) * normalize(y_pred, axis), axis)
}
