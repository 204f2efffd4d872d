//! How often predictions are right.

use crate::base::{DType, Error};
use crate::graph::Value;
use crate::losses::function::{formula, functions};
use crate::losses::same_rank;
use crate::operations::formulas::{self, axis_of};

functions! {
    /// Functions that give 1 for a right prediction and 0 for a wrong one.
    ACCURACY:
    accuracy |_| formula(|t, p| {
        let (t, p) = same_rank(t.cast(p.dtype()), p);
        matches(t, p)
    });
    binary_accuracy { threshold: 0.5 } |c| {
        let threshold = c.float("threshold")?;
        formula(move |t, p| {
            let (t, p) = same_rank(t, p);
            let p = if p.dtype().is_float() { p } else { p.cast(DType::Float32) };
            matches(t, p.binary("gt", p.scalar_like(threshold)).cast(t.dtype()))
        })
    };
    categorical_accuracy |_| formula(|t, p| {
        let Some(classes) = axis_of(t, -1) else { return t };
        classes_match(t.argmax(classes), p, true)
    });
    sparse_categorical_accuracy |_| formula(|t, p| {
        let single = t.shape().last() == Some(&1);
        let right = classes_match(t, p, single);
        match right.shape().as_slice() {
            [places @ .., 1] if !places.is_empty() => right.reshape(places),
            _ => right,
        }
    });
    top_k_categorical_accuracy { k: 5 } |c| {
        let k = c.int("k")?;
        formula(move |t, p| {
            let Some(classes) = axis_of(t, -1) else { return t };
            among_top(t.cast(p.dtype()).argmax(classes), p, |t, p| in_top_k(t, p, k))
        })
    };
    sparse_top_k_categorical_accuracy { k: 5, from_sorted_ids: false } |c| {
        let k = c.int("k")?;
        match c.bool("from_sorted_ids")? {
            false => formula(move |t, p| {
                among_top(t.cast(DType::Int32), p, |t, p| in_top_k(t, p, k))
            }),
            true => {
                let k = c.size("k")?;
                formula(move |t, p| {
                    among_top(t.cast(p.dtype()), p, |t, p| {
                        let best = p.narrow(1, 0, k.min(p.extent(1)));
                        best.binary("eq", t.reshape([t.extent(0), 1])).max(&[1])
                    })
                })
            }
        }
    };
}

/// 1 where the operands are equal, else 0, in float32.
fn matches<'g>(a: Value<'g>, b: Value<'g>) -> Value<'g> {
    a.binary("eq", b).cast(DType::Float32)
}

/// Whether classes are those of the highest predictions. Classes of the predictions' rank lose
/// their last axis for the comparison when `squeeze` says so.
fn classes_match<'g>(classes: Value<'g>, y_pred: Value<'g>, squeeze: bool) -> Value<'g> {
    let (shape, dtype) = (classes.shape(), y_pred.dtype());
    let Some(last) = axis_of(y_pred, -1) else { return y_pred };
    let classes = classes.cast(dtype);
    let best = y_pred.argmax(last).cast(dtype);
    if !squeeze || shape.rank() != y_pred.rank() {
        return matches(classes, best);
    }
    let [places @ .., 1] = shape.as_slice() else {
        let error = Error::shape("accuracy", shape.to_string(), "a last axis of extent 1");
        return y_pred.graph().failed(error);
    };
    matches(classes.reshape(places), best).reshape(shape.clone())
}

/// A test on classes `[N]` and predictions `[N, classes]`, for any axes in front.
fn among_top<'g>(
    classes: Value<'g>,
    y_pred: Value<'g>,
    test: impl Fn(Value<'g>, Value<'g>) -> Value<'g>,
) -> Value<'g> {
    let shape = classes.shape();
    let width = y_pred.shape().last().copied().unwrap_or(1);
    let flat = |x: Value<'g>| x.reshape([x.shape().len()]);
    let p = match y_pred.rank() {
        0..=2 => y_pred,
        _ => y_pred.reshape([y_pred.shape().len() / width.max(1), width]),
    };
    if p.rank() != 2 || p.extent(0) != shape.len() {
        let found = format!("labels {shape} and predictions {}", y_pred.shape());
        let error = Error::shape("top k accuracy", found, "predictions (batch, classes)");
        return y_pred.graph().failed(error);
    }
    test(flat(classes), p).cast(DType::Float32).reshape(shape)
}

/// Whether fewer than `k` predictions are higher than that of the class. A class that is not there,
/// and a prediction that is not a number, count as lowest; negative classes count from the back.
fn in_top_k<'g>(classes: Value<'g>, y_pred: Value<'g>, k: i64) -> Value<'g> {
    let p = formulas::float(y_pred);
    let width = p.extent(1);
    let behind = classes.binary("lt", classes.scalar_like(0.0));
    let classes = behind.select(classes + width as f64, classes);
    let is_class = crate::operations::nn::one_hot_of(classes, width, 1);
    let lowest = p.like(f64::NEG_INFINITY);
    let own = is_class.select(p, lowest).max(&[1]);
    let own = own.unary("isnan").select(own.like(f64::NEG_INFINITY), own);
    let higher = p.binary("gt", own.reshape([p.extent(0), 1])).cast(DType::Int32).sum(&[1]);
    (higher + 1.0).binary("le", higher.scalar_like(k as f64))
}
