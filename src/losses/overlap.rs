//! Losses of segmentation by overlap, and of similarity between pairs.

use crate::activations::softplus;
use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::layers::config::Config;
use crate::layers::numbers::numbers;
use crate::losses::function::{floats, formula, functions, masked};
use crate::losses::{Axes, Samples};
use crate::operations::formulas::{EPSILON, float};
use crate::tensor::Tensor;

functions! {
    /// Losses of overlapping areas and of pairs.
    OVERLAP:
    dice { axis: null } |c| {
        let axes = Axes::from_config(c)?;
        formula(move |t, p| {
            let (t, p) = floats(t, p);
            let both = sum(t * p, &axes) * 2.0;
            let share = both / (sum(t, &axes) + sum(p, &axes) + EPSILON);
            share.scalar_like(1.0) - share
        })
    };
    tversky { alpha: 0.5, beta: 0.5, axis: null } |c| {
        let (alpha, beta, axes) = (c.float("alpha")?, c.float("beta")?, Axes::from_config(c)?);
        formula(move |t, p| {
            let (t, p) = floats(t, p);
            let one = t.scalar_like(1.0);
            let both = sum(t * p, &axes);
            let missed = sum((one - p) * t, &axes) * alpha;
            let wrong = sum(p * (one - t), &axes) * beta;
            one - both / (both + missed + wrong + EPSILON)
        })
    };
    circle {
        ref_labels: null, ref_embeddings: null, remove_diagonal: true, gamma: 80.0, margin: 0.4
    } |c| {
        let circle = Circle::new(c)?;
        masked(move |t, p| circle.call(t, p))
    };
}

fn sum<'g>(x: Value<'g>, axes: &Axes) -> Value<'g> {
    axes.of(x).map_or(x, |axes| x.sum(&axes))
}

/// Circle loss of embeddings of unit length (Sun et al. 2020): pairs of one label are pulled
/// together, others pushed apart, each as far as it is off.
struct Circle {
    gamma: f64,
    margin: f64,
    remove_diagonal: bool,
    /// Labels and embeddings to compare with, instead of those of the batch.
    ref_labels: Option<Tensor>,
    ref_embeddings: Option<Tensor>,
}

impl Circle {
    fn new(c: &Config) -> Result<Circle> {
        let array = |key: &str| match c.is_null(key) {
            true => Ok(None),
            false => numbers(c, key).map(Some),
        };
        Ok(Circle {
            gamma: c.float("gamma")?,
            margin: c.float("margin")?,
            remove_diagonal: c.bool("remove_diagonal")?,
            ref_labels: array("ref_labels")?,
            ref_embeddings: array("ref_embeddings")?,
        })
    }

    fn call<'g>(&self, y_true: Value<'g>, y_pred: Value<'g>) -> Samples<'g> {
        let (graph, p) = (y_pred.graph(), float(y_pred));
        let constant = |t: &Tensor, dtype: DType| graph.constant(t.cast(dtype));
        let labels = y_true.cast(DType::Int32);
        let others = self.ref_labels.as_ref().map_or(labels, |t| constant(t, DType::Int32));
        let embeddings = self.ref_embeddings.as_ref().map_or(p, |t| constant(t, p.dtype()));
        let values = match pairs(p, embeddings, labels, others) {
            Ok((distance, same)) => self.of_pairs(distance, same),
            Err(error) => graph.failed(error),
        };
        Samples { values, mask: Some(values.binary("gt", values.scalar_like(0.0))) }
    }

    /// The loss of each row of pairs, from their distances and whether their labels are the same.
    fn of_pairs<'g>(&self, distance: Value<'g>, same: Value<'g>) -> Value<'g> {
        let (graph, shape) = (distance.graph(), distance.shape());
        let diagonal = graph.iota(shape.clone(), 0).binary("eq", graph.iota(shape, 1));
        let positive = match self.remove_diagonal {
            true => same.binary("and", diagonal.unary("not")),
            false => same,
        };
        let weigh = |weight: Value<'g>, mask: Value<'g>| {
            let weight = weight * mask.cast(weight.dtype());
            weight.maximum(weight.scalar_like(0.0))
        };
        let (margin, negative) = (self.margin, same.unary("not"));
        let far = weigh(distance + margin, positive) * (distance.scalar_like(margin) - distance);
        let near = weigh(distance.scalar_like(1.0 + margin) - distance, negative)
            * (distance.scalar_like(1.0 - margin) - distance);
        softplus(
            log_sum_exp(far * -self.gamma, positive) + log_sum_exp(near * self.gamma, negative),
        )
    }
}

/// Cosine distances between rows of embeddings and of others, and whether their labels are the same.
fn pairs<'g>(
    embeddings: Value<'g>,
    others: Value<'g>,
    labels: Value<'g>,
    other_labels: Value<'g>,
) -> Result<(Value<'g>, Value<'g>)> {
    let (left, right) = (embeddings.shape(), others.shape());
    let (&[n, width], &[m, _]) = (left.as_slice(), right.as_slice()) else {
        let found = format!("embeddings {left} and {right}");
        return Err(Error::shape("circle", found, "embeddings (batch, width)"));
    };
    if labels.shape().len() != n || other_labels.shape().len() != m {
        let found = format!("labels {} and {}", labels.shape(), other_labels.shape());
        return Err(Error::shape("circle", found, format!("one label for each of {n} and {m}")));
    }
    let rows = others.reshape([1, m, right[1]]);
    let product = embeddings.reshape([1, n, width]).matmul_flags(rows, false, true).reshape([n, m]);
    let distance = product.scalar_like(1.0) - product;
    let same = labels.reshape([n, 1]).binary("eq", other_labels.reshape([1, m]));
    Ok((distance.maximum(distance.scalar_like(0.0)), same))
}

/// Logarithm of the sum of the exponentials of what a mask leaves of each row; −∞ for nothing.
fn log_sum_exp<'g>(x: Value<'g>, mask: Value<'g>) -> Value<'g> {
    let x = mask.select(x, x.like(f64::NEG_INFINITY));
    let highest = x.max(&[1]).stop_gradient();
    let highest = highest.unary("isfinite").select(highest, highest.like(0.0));
    let sum = (x - highest.keep_axes(&x.shape(), &[1])).exp().sum(&[1]);
    sum.log() + highest
}
