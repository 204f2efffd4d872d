//! `keras.layers.MultiHeadAttention`: softmax(query · keyᵀ / √key_dim) · value in several learned
//! projections at once (Vaswani et al. 2017).
//!
//! The variables are those of the children: `query_dense`, `key_dense` (kernel (C, heads, key_dim), bias
//! (heads, key_dim)), `value_dense` (… value_dim), `output_dense` (kernel (heads, value_dim, out), bias
//! (out)) and, with use_gate, `_gate_dense`.
//!
//! Inputs query (batch, T…, C) and value (batch, S…, C'), optionally key → output (batch, T…, C or
//! output_shape); with return_attention_scores also scores (batch, heads, T…, S…).

use super::heads::{Extents, Heads};
use crate::base::Result;
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::{Config, Json};

builder! {
    /// Attention of queries to values, in several projections.
    MultiHeadAttention(num_heads, key_dim) {
        value_dim: null,
        dropout: 0.0,
        use_bias: true,
        use_gate: false,
        output_shape: null,
        attention_axes: null,
        sliding_window: null,
        flash_attention: null,
        kernel_initializer: "glorot_uniform",
        bias_initializer: "zeros",
        kernel_regularizer: null,
        bias_regularizer: null,
        activity_regularizer: null,
        kernel_constraint: null,
        bias_constraint: null,
        seed: null,
    }
}

impl MultiHeadAttention {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let names = ["query_dense", "key_dense", "_gate_dense", "value_dense", "output_dense"];
        let (heads, key_dim) = (config.size("num_heads")?, config.size("key_dim")?);
        let output = match config.get("output_shape") {
            Json::Null => None,
            Json::Array(items) => Some(config.sizes("output_shape", items.len())?),
            _ => Some(vec![config.size("output_shape")?]),
        };
        let extents = Extents {
            heads,
            shared_heads: heads,
            key_dim,
            value_dim: config.optional_size("value_dim")?.unwrap_or(key_dim),
            output: output.filter(|shape| !shape.is_empty()),
            axes: match config.is_null("attention_axes") {
                true => None,
                false => Some(config.ints("attention_axes")?),
            },
        };
        let mut heads = Heads::new("MultiHeadAttention", names, extents, config)?;
        // The penalty is on the outputs of the projections, which take the key over.
        heads.base_mut().rules.activity = None;
        Ok(Box::new(heads.with_riding_mask()))
    }
}
