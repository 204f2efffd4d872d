//! Attention layers.

mod multi_head_attention;
mod scores;

pub use multi_head_attention::MultiHeadAttention;
