//! How labels and predictions vary together.

use crate::graph::Value;
use crate::losses::Axes;
use crate::losses::function::{floats, formula, functions};
use crate::losses::regression::cosine;
use crate::losses::same_rank;
use crate::operations::formulas::{EPSILON, mean};

functions! {
    /// Correlations along axes.
    CORRELATION:
    pearson_correlation { axis: (-1) } |c| {
        let axes = Axes::from_config(c)?;
        formula(move |t, p| {
            let (t, p) = floats(t, p);
            let (t, p) = same_rank(t, p);
            let (Some(at), Some(ap)) = (axes.of(t), axes.of(p)) else { return p };
            let (t, p) = (standardized(t, &at), standardized(p, &ap));
            mean(t * p, &ap)
        })
    };
    concordance_correlation { axis: (-1) } |c| {
        let axes = Axes::from_config(c)?;
        formula(move |t, p| {
            let (t, p) = floats(t, p);
            let (t, p) = same_rank(t, p);
            let (Some(at), Some(ap)) = (axes.of(t), axes.of(p)) else { return p };
            let (mean_t, mean_p) = (mean_kept(t, &at), mean_kept(p, &ap));
            let norm = variance(t, &at) + variance(p, &ap) + (mean_t - mean_p).square();
            // As in Keras, both are taken from the mean of the predictions.
            let both = (t - mean_p) * (p - mean_p);
            mean(both * 2.0 / (norm + EPSILON), &ap)
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

fn mean_kept<'g>(x: Value<'g>, axes: &[usize]) -> Value<'g> {
    mean(x, axes).keep_axes(&x.shape(), axes)
}

/// Variance along axes, which stay with extent 1.
fn variance<'g>(x: Value<'g>, axes: &[usize]) -> Value<'g> {
    let centred = x - mean_kept(x, axes);
    mean_kept((centred - mean_kept(centred, axes)).square(), axes)
}

/// Values with mean 0 and variance 1 along axes.
fn standardized<'g>(x: Value<'g>, axes: &[usize]) -> Value<'g> {
    (x - mean_kept(x, axes)) / variance(x, axes).sqrt()
}
