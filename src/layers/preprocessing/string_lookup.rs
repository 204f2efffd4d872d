//! `keras.layers.StringLookup`: words to indices, or indices to words with `invert`.
//!
//! Input (batch, …) of text → output of the same shape for `int`, else as the mode says with the number
//! of words as last extent. See [`lookup`](super::lookup).

use std::sync::Arc;

use super::lookup::{Kind, Lookup, lookup_layer};
use crate::base::{DType, Result};
use crate::builder;
use crate::layers::config::Config;
use crate::layers::{Layer, LayerBase};

builder! {
    /// Maps words to indices.
    StringLookup() {
        max_tokens: null,
        num_oov_indices: 1,
        mask_token: null,
        oov_token: "[UNK]",
        vocabulary: null,
        idf_weights: null,
        invert: false,
        output_mode: "int",
        pad_to_max_tokens: false,
        sparse: false,
        encoding: "utf-8",
        oov_method: "floormod",
        salt: null,
    }
}

impl StringLookup {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        // Keras decodes with it what it saves, and computes with the text's bytes.
        config.str("encoding")?;
        let lookup = Lookup::from_config(config, Kind::Text, DType::Int32)?;
        Ok(lookup_layer(LayerBase::without_policy("StringLookup", config)?, Arc::new(lookup)))
    }
}
