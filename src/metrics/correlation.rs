//! How labels and predictions vary together.

use crate::graph::Value;
use crate::losses::function::{floats, formula, functions};
use crate::losses::regression::cosine;
use crate::losses::same_rank;
use crate::operations::formulas::{EPSILON, axis_of, mean};

functions! {
    /// Correlations along an axis.
    CORRELATION:
    pearson_correlation { axis: (-1) } |c| {
        let axis = c.int("axis")?;
        formula(move |t, p| {
            let (t, p) = floats(t, p);
            let (t, p) = same_rank(t, p);
            let (Some(at), Some(ap)) = (axis_of(t, axis), axis_of(p, axis)) else { return p };
            let (t, p) = (standardized(t, at), standardized(p, ap));
            mean(t * p, &[ap])
        })
    };
    concordance_correlation { axis: (-1) } |c| {
        let axis = c.int("axis")?;
        formula(move |t, p| {
            let (t, p) = floats(t, p);
            let (t, p) = same_rank(t, p);
            let (Some(at), Some(ap)) = (axis_of(t, axis), axis_of(p, axis)) else { return p };
            let (mean_t, mean_p) = (mean_kept(t, at), mean_kept(p, ap));
            let norm = variance(t, at) + variance(p, ap) + (mean_t - mean_p).square();
            // As in Keras, both are taken from the mean of the predictions.
            let both = (t - mean_p) * (p - mean_p);
            mean(both * 2.0 / (norm + EPSILON), &[ap])
        })
    };
}

functions! {
    /// Functions that only a metric class wraps: the loss of the same name has the other sign.
    SIMILARITY:
    cosine_similarity { axis: (-1) } |c| {
        let axis = c.int("axis")?;
        formula(move |t, p| cosine(t, p, axis))
    };
}

fn mean_kept(x: Value<'_>, axis: usize) -> Value<'_> {
    mean(x, &[axis]).keep_axes(&x.shape(), &[axis])
}

/// Variance along an axis, which stays with extent 1.
fn variance(x: Value<'_>, axis: usize) -> Value<'_> {
    let centred = x - mean_kept(x, axis);
    mean_kept((centred - mean_kept(centred, axis)).square(), axis)
}

/// Values with mean 0 and variance 1 along an axis.
fn standardized(x: Value<'_>, axis: usize) -> Value<'_> {
    (x - mean_kept(x, axis)) / variance(x, axis).sqrt()
}
