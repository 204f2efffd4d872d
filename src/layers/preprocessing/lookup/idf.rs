//! Inverse document frequencies, by which tf_idf weighs counts.

use std::sync::Arc;

use super::settings::{Mode, Settings};
use crate::base::{DType, Result};
use crate::layers::config::Config;
use crate::layers::numbers::numbers;
use crate::tensor::{Tensor, Variable};

/// The variable of tf_idf; nothing in other modes.
///
/// Weights of a config are those of its `count` words. Where the list of words has no special tokens
/// (`is_special` is false), these get the mean. `size` is the number of words with the special ones.
/// Without weights in the config, the file of the model has them.
pub(super) fn weights(
    config: &Config,
    settings: &Settings,
    size: Option<usize>,
    count: Option<usize>,
    is_special: bool,
) -> Result<Option<Variable>> {
    let key = "idf_weights";
    if settings.mode != Mode::TfIdf {
        return match config.is_null(key) {
            true => Ok(None),
            false => Err(config.bad(key, "null where output_mode is not \"tf_idf\"")),
        };
    }
    let depth = settings.depth(size)?;
    let mut weights = Vec::new();
    if config.is_null(key) {
        if count.is_some() {
            return Err(config.bad(key, "a weight for each word of vocabulary"));
        }
    } else {
        let given: Vec<f64> = numbers(config, key)?.iter_f64().collect();
        if count != Some(given.len()) {
            return Err(config.bad(key, "a weight for each word of vocabulary"));
        }
        let mean = given.iter().sum::<f64>() / given.len() as f64;
        let front = if is_special { 0 } else { settings.token_start() };
        weights.resize(front, mean as f32);
        weights.extend(given.into_iter().map(|weight| weight as f32));
    }
    let mut values = Tensor::zeros(crate::base::Spec::new([depth], DType::Float32));
    if !weights.is_empty() {
        weights.resize(depth, 0.0);
        values = Tensor::new([depth], &weights)?;
    }
    Ok(Some(Variable::new(key, false, Arc::new(values))))
}
