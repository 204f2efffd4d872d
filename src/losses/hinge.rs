//! Hinge losses: how far predictions are from the right side of a margin.

use crate::graph::Value;
use crate::losses::function::{floats, formula, functions};
use crate::operations::formulas::{axis_of, mean_axis, sum_axis};

functions! {
    /// Losses of classification by margins.
    HINGE:
    hinge |_| formula(|t, p| mean_axis(margin(t, p), -1));
    squared_hinge |_| formula(|t, p| mean_axis(margin(t, p).square(), -1));
    categorical_hinge |_| formula(|t, p| {
        let (t, p) = floats(t, p);
        let wrong = (t.scalar_like(1.0) - t) * p;
        let wrong = axis_of(wrong, -1).map_or(wrong, |axis| wrong.max(&[axis]));
        let distance = wrong - sum_axis(t * p, -1) + 1.0;
        distance.maximum(distance.scalar_like(0.0))
    });
}

/// `max(1 − y_true · y_pred, 0)`, for labels −1 and 1; labels that are all 0 or 1 are turned into
/// these.
fn margin<'g>(y_true: Value<'g>, y_pred: Value<'g>) -> Value<'g> {
    let (t, p) = floats(y_true, y_pred);
    let is = |n: f64| t.binary("eq", t.scalar_like(n));
    let all: Vec<usize> = (0..t.rank()).collect();
    let binary = is(0.0).binary("or", is(1.0)).min(&all);
    let signs = binary.select(t * 2.0 - 1.0, t);
    let margin = signs.scalar_like(1.0) - signs * p;
    margin.maximum(margin.scalar_like(0.0))
}
