//! `keras.ops.nn`, cross entropies.

use crate::activations::softplus;
use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::operations::call::Call;
use crate::operations::nn::{KERAS_EPSILON, one_hot_of};
use crate::operations::operations;

operations! {
    /// Losses of single examples.
    LOSSES:
    BinaryCrossentropy(target, output) { from_logits: false } |c| {
        let (target, output) = equal_shapes(c)?;
        let (yes, no) = if c.config.bool("from_logits")? {
            (-softplus(-output), -softplus(output))
        } else {
            let output = inside(output);
            (output.log(), (-output + 1.0).log())
        };
        Ok(-(target * yes + (-target + 1.0) * no))
    };
    CategoricalCrossentropy(target, output) { from_logits: false, axis: (-1) } |c| {
        let (target, output) = equal_shapes(c)?;
        let axis = c.axis("axis", &output.shape())?;
        Ok(-(target * log_probability(c, output, axis)?).sum(&[axis]))
    };
    SparseCategoricalCrossentropy(target, output) { from_logits: false, axis: (-1) } |c| {
        let (mut target, output) = (c.value(0)?.cast(DType::Int32), c.float(1)?);
        let (st, so) = (target.shape(), output.shape());
        if st.rank() == so.rank() && st.last() == Some(&1) {
            target = target.reshape(&st[..st.rank() - 1]);
        }
        if so.split_last().is_none_or(|(_, lead)| *lead != *target.shape().as_slice()) {
            let found = format!("{st} for {so}");
            return Err(Error::shape("sparse_categorical_crossentropy", found, "one class for each row of scores"));
        }
        let axis = c.axis("axis", &so)?;
        // Targets lack the last axis, whichever the classes lie along: both must be of one extent.
        if so[axis] != so[so.rank() - 1] {
            let expected = "classes along the last axis, or as many along both";
            return Err(Error::shape("sparse_categorical_crossentropy", format!("axis {axis} of {so}"), expected));
        }
        let hot = one_hot_of(target, so[axis], axis).cast(output.dtype());
        Ok(-(hot * log_probability(c, output, axis)?).sum(&[axis]))
    };
}

fn equal_shapes<'g>(c: &Call<'_, 'g>) -> Result<(Value<'g>, Value<'g>)> {
    let (target, output) = c.float_pair()?;
    if target.shape() != output.shape() {
        let found = format!("{} and {}", target.shape(), output.shape());
        return Err(Error::shape("crossentropy", found, "target and output of one shape"));
    }
    Ok((target, output))
}

/// Probabilities kept off zero and one by Keras's fuzz factor.
fn inside(p: Value<'_>) -> Value<'_> {
    p.maximum(p.like(KERAS_EPSILON)).minimum(p.like(1.0 - KERAS_EPSILON))
}

fn log_probability<'g>(c: &Call<'_, 'g>, output: Value<'g>, axis: usize) -> Result<Value<'g>> {
    if c.config.bool("from_logits")? {
        return Ok(output.log_softmax(&[axis]));
    }
    let sum = output.sum(&[axis]).keep_axes(&output.shape(), &[axis]);
    Ok(inside(output / sum).log())
}
