//! Losses of classification by probabilities.

use std::sync::Arc;

use crate::activations::{clip, softplus};
use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::layers::config::{Config, Json};
use crate::losses::Samples;
use crate::losses::function::{Function, equal_shapes, floats, formula, functions, masked};
use crate::operations::formulas::{EPSILON, axis_of, float, mean_axis, sum_axis};
use crate::operations::nn::one_hot_of;
use crate::tensor::Tensor;

functions! {
    /// Losses of classification by probabilities.
    CROSS_ENTROPY:
    binary_crossentropy { from_logits: false, label_smoothing: 0.0, axis: (-1) } |c| {
        let (from_logits, axis) = (c.bool("from_logits")?, axis(c)?);
        let smoothing = c.float("label_smoothing")?;
        formula(move |t, p| {
            let (t, p) = floats(t, p);
            mean_axis(binary(smooth_binary(t, smoothing), p, from_logits), axis)
        })
    };
    binary_focal_crossentropy {
        apply_class_balancing: false, alpha: 0.25, gamma: 2.0, from_logits: false,
        label_smoothing: 0.0, axis: (-1)
    } |c| binary_focal(c)?;
    categorical_crossentropy { from_logits: false, label_smoothing: 0.0, axis: (-1) } |c| {
        let (from_logits, axis) = (c.bool("from_logits")?, axis(c)?);
        let smoothing = c.float("label_smoothing")?;
        formula(move |t, p| {
            let (t, p) = floats(t, p);
            equal_shapes("categorical_crossentropy", t, p);
            -sum_axis(smooth(t, smoothing) * log_probability(p, axis, from_logits), axis)
        })
    };
    categorical_focal_crossentropy {
        alpha: 0.25, gamma: 2.0, from_logits: false, label_smoothing: 0.0, axis: (-1)
    } |c| categorical_focal(c)?;
    sparse_categorical_crossentropy { from_logits: false, ignore_class: null, axis: (-1) } |c| {
        let (from_logits, axis) = (c.bool("from_logits")?, axis(c)?);
        match c.is_null("ignore_class") {
            true => formula(move |t, p| sparse(squeeze(t, p, axis), p, axis, from_logits)),
            false => {
                let ignored = c.float("ignore_class")?;
                masked(move |t, p| sparse_without(t, p, ignored, axis, from_logits))
            }
        }
    };
    categorical_generalized_cross_entropy { q: null } |c| {
        let q = c.float("q")?;
        formula(move |t, p| {
            let p = float(p);
            let Some(last) = axis_of(p, -1) else { return p };
            let right = one_hot_of(t.cast(DType::Int32), p.extent(last), t.rank()).cast(p.dtype());
            let right = sum_axis(p * right, -1);
            (right.scalar_like(1.0) - right.binary("pow", right.like(q))) / q
        })
    };
    kl_divergence |_| formula(|t, p| {
        let (t, p) = floats(t, p);
        let (t, p) = (clip(t, EPSILON, 1.0), clip(p, EPSILON, 1.0));
        sum_axis(t * (t / p).log(), -1)
    });
}

/// The key `axis`, which Keras refuses as a boolean.
fn axis(config: &Config) -> Result<i64> {
    match config.get("axis") {
        Json::Bool(_) => Err(config.bad("axis", "an integer")),
        _ => config.int("axis"),
    }
}

/// Labels of two classes moved towards one half.
fn smooth_binary(y_true: Value<'_>, smoothing: f64) -> Value<'_> {
    if smoothing == 0.0 { y_true } else { y_true * (1.0 - smoothing) + 0.5 * smoothing }
}

/// One-hot labels moved towards an equal share of all classes.
fn smooth(y_true: Value<'_>, smoothing: f64) -> Value<'_> {
    let Some(last) = axis_of(y_true, -1).filter(|_| smoothing != 0.0) else { return y_true };
    let share = y_true.scalar_like(smoothing) / y_true.extent(last) as f64;
    y_true * (1.0 - smoothing) + share
}

/// Cross entropy of two classes, place by place.
fn binary<'g>(y_true: Value<'g>, y_pred: Value<'g>, from_logits: bool) -> Value<'g> {
    equal_shapes("binary_crossentropy", y_true, y_pred);
    let other = y_true.scalar_like(1.0) - y_true;
    if from_logits {
        return y_true * softplus(-y_pred) + other * softplus(y_pred);
    }
    let p = clip(y_pred, EPSILON, 1.0 - EPSILON);
    -(y_true * p.log() + other * (p.scalar_like(1.0) - p).log())
}

fn binary_focal(c: &Config) -> Result<Arc<dyn Function>> {
    let (from_logits, axis) = (c.bool("from_logits")?, axis(c)?);
    let (alpha, gamma) = (c.float("alpha")?, c.float("gamma")?);
    let (balanced, smoothing) = (c.bool("apply_class_balancing")?, c.float("label_smoothing")?);
    Ok(formula(move |t, p| {
        let (t, p) = floats(t, p);
        let t = smooth_binary(t, smoothing);
        let p = if from_logits { p.sigmoid() } else { p };
        let one = t.scalar_like(1.0);
        let hit = t * p + (one - t) * (one - p);
        let miss = one - hit;
        let focal = miss.binary("pow", miss.like(gamma)) * binary(t, p, false);
        let weight = t * alpha + (one - t) * (1.0 - alpha);
        mean_axis(if balanced { weight * focal } else { focal }, axis)
    }))
}

fn categorical_focal(c: &Config) -> Result<Arc<dyn Function>> {
    let (from_logits, axis) = (c.bool("from_logits")?, axis(c)?);
    let (alpha, gamma) = (class_weights(c, "alpha")?, c.float("gamma")?);
    let smoothing = c.float("label_smoothing")?;
    Ok(formula(move |t, p| {
        let (t, p) = floats(t, p);
        let t = smooth(t, smoothing);
        let p = match axis_of(p, axis) {
            Some(axis) if from_logits => p.softmax(&[axis]),
            _ => p,
        };
        let p = probability(p, axis);
        let miss = p.scalar_like(1.0) - p;
        let alpha = p.graph().constant(alpha.clone()).cast(p.dtype());
        let weight = miss.binary("pow", miss.like(gamma)) * alpha;
        sum_axis(weight * (-t * p.log()), axis)
    }))
}

/// A number for all classes, or a list with one for each.
fn class_weights(c: &Config, key: &str) -> Result<Tensor> {
    let bad = || c.bad(key, "a number, or a list with one for each class");
    let number = |json: &Json| json.as_f64().map(|x| x as f32).ok_or_else(bad);
    match c.get(key) {
        Json::Array(items) => {
            let weights = items.iter().map(number).collect::<Result<Vec<f32>>>()?;
            Tensor::new([weights.len()], &weights)
        }
        one => number(one).map(Tensor::scalar),
    }
}

/// Predictions scaled to a sum of 1 along an axis, and kept off 0 and 1.
fn probability(y_pred: Value<'_>, axis: i64) -> Value<'_> {
    let Some(axis) = axis_of(y_pred, axis) else { return y_pred };
    let sum = y_pred.sum(&[axis]).keep_axes(&y_pred.shape(), &[axis]);
    clip(y_pred / sum, EPSILON, 1.0 - EPSILON)
}

fn log_probability(y_pred: Value<'_>, axis: i64, from_logits: bool) -> Value<'_> {
    match axis_of(y_pred, axis) {
        Some(axis) if from_logits => y_pred.log_softmax(&[axis]),
        _ => probability(y_pred, axis).log(),
    }
}

/// Labels without the axis of classes, when they have one of extent 1.
fn squeeze<'g>(y_true: Value<'g>, y_pred: Value<'g>, axis: i64) -> Value<'g> {
    let shape = y_true.shape();
    if shape.rank() != y_pred.rank() {
        return y_true;
    }
    match axis_of(y_true, axis) {
        Some(axis) if shape[axis] == 1 => {
            let mut extents = shape.to_vec();
            extents.remove(axis);
            y_true.reshape(extents)
        }
        _ => y_true,
    }
}

/// Cross entropy of labels that are numbers of classes. A label outside of the classes costs
/// nothing, as in Keras.
fn sparse<'g>(y_true: Value<'g>, y_pred: Value<'g>, axis: i64, from_logits: bool) -> Value<'g> {
    let p = float(y_pred);
    let t = squeeze(y_true, p, -1).cast(DType::Int32);
    let shape = p.shape();
    let Some((_, places)) = shape.split_last() else {
        let error =
            Error::shape("sparse_categorical_crossentropy", "a scalar", "an axis of classes");
        return p.graph().failed(error);
    };
    if *t.shape().as_slice() != *places {
        let found = format!("labels {} and predictions {shape}", t.shape());
        let expected = "labels of the predictions' shape without the last axis";
        let error = Error::shape("sparse_categorical_crossentropy", found, expected);
        return p.graph().failed(error);
    }
    let Some(classes) = axis_of(p, axis) else { return p };
    let hit = one_hot_of(t, shape[classes], classes).cast(p.dtype());
    -sum_axis(hit * log_probability(p, axis, from_logits), axis)
}

/// [`sparse`], in which places with one label cost nothing and do not count.
fn sparse_without<'g>(
    y_true: Value<'g>,
    y_pred: Value<'g>,
    ignored: f64,
    axis: i64,
    from_logits: bool,
) -> Samples<'g> {
    let t = squeeze(y_true, y_pred, axis);
    let ignored = y_pred.scalar_like(ignored).cast(t.dtype());
    let valid = t.binary("ne", ignored);
    let Some(classes) = axis_of(y_pred, axis) else { return y_pred.into() };
    let mut with_classes = valid.shape().to_vec();
    with_classes.insert(classes.min(with_classes.len()), 1);
    let p = valid.reshape(with_classes).select(y_pred, y_pred.like(0.0));
    let values = sparse(valid.select(t, t.like(0.0)), p, axis, from_logits);
    let mut places = y_pred.shape().to_vec();
    places.remove(classes);
    let valid = valid.reshape(places);
    Samples { values: valid.select(values, values.like(0.0)), mask: Some(valid) }
}
