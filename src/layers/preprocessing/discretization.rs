//! `keras.layers.Discretization`: the number of boundaries that are at most the input, as a category.
//!
//! Input (batch, …) → output of the same shape for `int`, else with a last axis of extent
//! boundaries + 1.

use super::encoding::OutputMode;
use crate::base::{DType, Error, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::numbers::numbers;
use crate::layers::stateless::stateless;
use crate::tensor::Tensor;

builder! {
    /// Sorts numbers into bins.
    Discretization() {
        bin_boundaries: null,
        num_bins: null,
        epsilon: 0.01,
        output_mode: "int",
        sparse: false,
    }
}

impl Discretization {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        config.optional_size("num_bins")?;
        config.float("epsilon")?;
        let mode = OutputMode::from_config(config, true)?;
        let boundaries = match config.is_null("bin_boundaries") {
            true => None,
            false => Some(numbers(config, "bin_boundaries")?.cast(DType::Float32)),
        };
        if boundaries.as_ref().is_some_and(|b| b.shape().rank() != 1) {
            return Err(config.bad("bin_boundaries", "a list of numbers"));
        }
        // Keras's backends take boundaries in another order for different things.
        let ascends = |b: &Tensor| b.iter_f64().is_sorted();
        if !boundaries.as_ref().is_none_or(ascends) {
            return Err(config.bad("bin_boundaries", "numbers in ascending order"));
        }
        let mut layer = stateless("Discretization", config, move |cx, args| {
            let Some(boundaries) = &boundaries else {
                let what = "a discretization without bin_boundaries; adapt it in Keras first";
                return Err(Error::Invalid(what.into()));
            };
            let dtype = match mode {
                OutputMode::Int => DType::Int32,
                _ => cx.compute_dtype(),
            };
            let bins = digitize(args.input()?.cast(DType::Float32), boundaries);
            Ok(mode.encode(bins, boundaries.len() + 1, dtype, None))
        })?;
        // Whatever the policy, numbers are compared with the boundaries as they came.
        layer.base_mut().autocast = false;
        Ok(layer)
    }
}

/// For each element, how many of the ascending boundaries it reaches. NaN reaches all.
fn digitize<'g>(x: Value<'g>, boundaries: &Tensor) -> Value<'g> {
    // Of the input: after an error, a value in its place has no axes.
    let last = x.rank();
    let extents: Vec<usize> = x.shape().iter().copied().chain([1]).collect();
    let boundaries = x.graph().constant(boundaries.clone());
    let x = x.reshape(extents);
    let reached = x.unary("isnan").binary("or", x.binary("ge", boundaries));
    reached.cast(DType::Int32).sum(&[last])
}
