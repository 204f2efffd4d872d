//! How layers on categories write them: as they are, one-hot, multi-hot or counted.

use crate::base::{DType, Result};
use crate::graph::Value;
use crate::layers::config::Config;
use crate::operations::nn::one_hot_of;

/// The setting `output_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutputMode {
    Int,
    OneHot,
    MultiHot,
    Count,
}

impl OutputMode {
    /// Reads the mode; only some layers know `int`. With `sparse`, Keras keeps the same numbers in
    /// another form; here all tensors are dense.
    pub fn from_config(config: &Config, int: bool) -> Result<OutputMode> {
        let sparse = config.optional_bool("sparse")? == Some(true);
        let modes = [
            ("one_hot", OutputMode::OneHot),
            ("multi_hot", OutputMode::MultiHot),
            ("binary", OutputMode::MultiHot),
            ("count", OutputMode::Count),
            ("int", OutputMode::Int),
        ];
        match config.choice("output_mode", if int { &modes } else { &modes[..4] })? {
            OutputMode::Int if sparse => {
                Err(config.bad("sparse", "false with output_mode \"int\""))
            }
            mode => Ok(mode),
        }
    }

    /// Categories `0..depth` written in this mode. All but `int` give a last axis of extent `depth`;
    /// `multi_hot` and `count` combine the axis behind the batch. Weights apply to counts.
    pub fn encode<'g>(
        self,
        categories: Value<'g>,
        depth: usize,
        dtype: DType,
        weights: Option<Value<'g>>,
    ) -> Value<'g> {
        if self == OutputMode::Int {
            return categories.cast(dtype);
        }
        let x = match categories.rank() {
            0 => categories.reshape([1]),
            _ => categories,
        };
        let shape = x.shape();
        let combined = usize::from(shape.rank() > 1);
        let hot = |x: Value<'g>| one_hot_of(x, depth, x.rank()).cast(dtype);
        match self {
            OutputMode::OneHot if shape.rank() > 1 && shape.last() == Some(&1) => {
                hot(x.reshape(&shape[..shape.rank() - 1]))
            }
            OutputMode::MultiHot => hot(x).max(&[combined]),
            OutputMode::Count => {
                let extents: Vec<usize> = shape.iter().copied().chain([1]).collect();
                let counted = weights.map_or(hot(x), |w| hot(x) * w.cast(dtype).reshape(extents));
                counted.sum(&[combined])
            }
            _ => hot(x),
        }
    }
}
