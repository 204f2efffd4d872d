//! `keras.layers.IntegerLookup`: integers to indices, or indices to integers with `invert`.
//!
//! Input (batch, …) of numbers → output of the same shape for `int`, else as the mode says with the
//! number of words as last extent. See [`lookup`](super::lookup).

use std::sync::Arc;

use super::lookup::{Kind, Lookup, lookup_layer};
use crate::base::{DType, Result};
use crate::builder;
use crate::layers::config::Config;
use crate::layers::{Layer, LayerBase};

builder! {
    /// Maps integers to indices.
    IntegerLookup() {
        max_tokens: null,
        num_oov_indices: 1,
        mask_token: null,
        oov_token: (-1),
        vocabulary: null,
        vocabulary_dtype: "int64",
        idf_weights: null,
        invert: false,
        output_mode: "int",
        sparse: false,
        pad_to_max_tokens: false,
        oov_method: "floormod",
        salt: null,
    }
}

impl IntegerLookup {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        config.choice("vocabulary_dtype", &[("int64", ())])?;
        let lookup = Lookup::from_config(config, Kind::Number, DType::Int32)?;
        Ok(lookup_layer(LayerBase::without_policy("IntegerLookup", config)?, Arc::new(lookup)))
    }
}
