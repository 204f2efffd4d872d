//! `keras.layers.GroupQueryAttention`: multi-head attention in which several heads of the query share
//! one head of key and value (Ainslie et al. 2023).
//!
//! The variables are those of the children: `_query_dense` (kernel (C, query heads, head_dim), bias
//! (query heads, head_dim)), `_key_dense` and `_value_dense` (… key-value heads …), `_output_dense`
//! (kernel (query heads, head_dim, C), bias (C)) and, with use_gate, `_gate_dense`.
//!
//! Inputs query (batch, T, C) and value (batch, S, C), optionally key → output (batch, T, C); with
//! return_attention_scores also scores (batch, query heads, T, S).

use super::heads::{Extents, Heads};
use crate::base::Result;
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::Config;

builder! {
    /// Attention in which several heads of the query share a head of key and value.
    GroupQueryAttention(head_dim, num_query_heads, num_key_value_heads) {
        dropout: 0.0,
        use_bias: true,
        use_gate: false,
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

impl GroupQueryAttention {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let names = ["_query_dense", "_key_dense", "_gate_dense", "_value_dense", "_output_dense"];
        let heads = config.size("num_query_heads")?;
        let shared_heads = config.size("num_key_value_heads")?;
        if heads % shared_heads != 0 {
            let expected = format!("a divisor of the {heads} query heads");
            return Err(config.bad("num_key_value_heads", &expected));
        }
        let dim = config.size("head_dim")?;
        let extents =
            Extents { heads, shared_heads, key_dim: dim, value_dim: dim, output: None, axes: None };
        // Files name the class by Keras's public name, but its variables by the Python name.
        Ok(Box::new(Heads::new("GroupedQueryAttention", names, extents, config)?))
    }
}
