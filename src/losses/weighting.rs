//! Weights and masks on values per sample, and their reduction to one number.

use crate::base::{DType, Result, Shape};
use crate::graph::Value;
use crate::layers::config::{Config, Json};
use crate::operations::formulas::{divide_no_nan, sum_all};

/// How values per sample become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// The weighted sum over the count of values: Keras's `sum_over_batch_size` and `mean`.
    #[default]
    SumOverBatchSize,
    /// The weighted sum over the sum of the weights.
    MeanWithSampleWeight,
    /// The weighted sum.
    Sum,
    /// The weighted values as they are.
    None,
}

impl Reduction {
    /// The reduction under the key `reduction`.
    ///
    /// # Errors
    /// If it is none of the words of Keras.
    pub fn from_config(config: &Config) -> Result<Reduction> {
        if config.is_null("reduction") {
            return Ok(Reduction::None);
        }
        config.choice(
            "reduction",
            &[
                ("sum_over_batch_size", Reduction::SumOverBatchSize),
                ("mean", Reduction::SumOverBatchSize),
                ("mean_with_sample_weight", Reduction::MeanWithSampleWeight),
                ("sum", Reduction::Sum),
                ("none", Reduction::None),
            ],
        )
    }

    /// Whether the sum of the values is divided by their count.
    fn is_mean(self) -> bool {
        self == Reduction::SumOverBatchSize
    }
}

/// What makes some values count more than others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weights<'g> {
    /// One weight per sample, or per value of a sample.
    pub sample_weight: Option<Value<'g>>,
    /// The mask that came with the predictions: true for values that count.
    pub mask: Option<Value<'g>>,
}

/// Takes the last axis, of extent 1, off the operand whose rank is one above the other's, or puts
/// one on the other when that has rank 1. Other operands stay as they are.
pub fn same_rank<'g>(a: Value<'g>, b: Value<'g>) -> (Value<'g>, Value<'g>) {
    align_ranks(a, b, true)
}

/// [`same_rank`], in which a value of rank 1 stays so when `expand` is false.
pub(crate) fn align_ranks<'g>(a: Value<'g>, b: Value<'g>, expand: bool) -> (Value<'g>, Value<'g>) {
    let (to_a, to_b) = aligned_shapes(&a.shape(), &b.shape(), expand);
    (a.reshape(to_a), b.reshape(to_b))
}

/// The shapes that [`align_ranks`] gives values of these shapes.
pub(crate) fn aligned_shapes(a: &Shape, b: &Shape, expand: bool) -> (Shape, Shape) {
    if a.rank() == b.rank() + 1 {
        lower_or_raise(a, b, expand)
    } else if b.rank() == a.rank() + 1 {
        let (high, low) = lower_or_raise(b, a, expand);
        (low, high)
    } else {
        (a.clone(), b.clone())
    }
}

fn lower_or_raise(high: &Shape, low: &Shape, expand: bool) -> (Shape, Shape) {
    match (high.as_slice(), low.as_slice()) {
        (&[.., 1], &[rows]) if expand => (high.clone(), [rows, 1].into()),
        (&[ref rest @ .., 1], _) => (rest.into(), low.clone()),
        _ => (high.clone(), low.clone()),
    }
}

/// Puts a mask into the weights. For a mean, values that count weigh as much more as there are
/// fewer of them, so that the mean is one over them.
pub fn apply_mask<'g>(
    weights: Weights<'g>,
    dtype: DType,
    reduction: Reduction,
) -> Option<Value<'g>> {
    let Some(mask) = weights.mask else { return weights.sample_weight };
    let counts = mask.cast(dtype);
    let mask = match reduction.is_mean() {
        true => {
            let total = counts.scalar_like(counts.shape().len() as f64);
            let share = divide_no_nan(total, sum_all(counts));
            mask.cast(DType::Bool).select(share, counts.scalar_like(0.0))
        }
        false => counts,
    };
    Some(match weights.sample_weight {
        Some(weight) => {
            let (mask, weight) = same_rank(mask, weight.cast(dtype));
            weight * mask
        }
        None => mask,
    })
}

/// Values per sample with their weights, reduced to one number in the values' dtype.
pub fn reduce_weighted<'g>(
    values: Value<'g>,
    weights: Weights<'g>,
    reduction: Reduction,
) -> Value<'g> {
    let weight = apply_mask(weights, values.dtype(), reduction).map(|w| w.cast(values.dtype()));
    match weight {
        None => reduce(values, None, reduction),
        Some(weight) => {
            let (values, weight) = same_rank(values, weight);
            reduce(values * weight, Some(weight), reduction)
        }
    }
}

fn reduce<'g>(values: Value<'g>, weight: Option<Value<'g>>, reduction: Reduction) -> Value<'g> {
    let shape = values.shape();
    if reduction == Reduction::None || shape.rank() == 0 || *shape.as_slice() == [0] {
        return values;
    }
    let sum = sum_all(values);
    match (reduction, weight) {
        (Reduction::Sum | Reduction::None, _) => sum,
        (Reduction::MeanWithSampleWeight, Some(weight)) => {
            divide_no_nan(sum, sum_all(weight).cast(sum.dtype()))
        }
        _ => divide_no_nan(sum, sum.scalar_like(shape.len() as f64)),
    }
}

/// The dtype under the key `dtype`: that in which a policy computes; null for float32.
pub(crate) fn dtype(config: &Config) -> Result<DType> {
    crate::layers::DTypePolicy::from_config(config).map(|policy| policy.compute)
}

/// The name under the key `name`; `otherwise` for null.
pub(crate) fn name(config: &Config, otherwise: &str) -> Result<String> {
    match config.get("name") {
        Json::Null => Ok(otherwise.into()),
        Json::String(name) => Ok(name.clone()),
        _ => Err(config.bad("name", "a string")),
    }
}
