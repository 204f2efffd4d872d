//! Keras's internal `IndexLookup`, from which the lookups of text and of integers come. Indices are
//! int64 here.

use std::sync::Arc;

use super::lookup::{Kind, Lookup, lookup_layer};
use crate::base::{DType, Result};
use crate::builder;
use crate::layers::config::Config;
use crate::layers::{Layer, LayerBase};

builder! {
    /// Maps values to indices.
    IndexLookup(max_tokens, num_oov_indices, mask_token, oov_token, vocabulary_dtype) {
        vocabulary: null,
        idf_weights: null,
        invert: false,
        output_mode: "int",
        sparse: false,
        pad_to_max_tokens: false,
        oov_method: "floormod",
        salt: null,
    }
}

impl IndexLookup {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let kinds = [("string", Kind::Text), ("int64", Kind::Number), ("int32", Kind::Number)];
        let kind = config.choice("vocabulary_dtype", &kinds)?;
        let lookup = Lookup::from_config(config, kind, DType::Int64)?;
        Ok(lookup_layer(LayerBase::without_policy("IndexLookup", config)?, Arc::new(lookup)))
    }
}
