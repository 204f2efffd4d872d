//! Attention layers.

mod dot_attention;
mod group_query_attention;
mod heads;
mod multi_head_attention;
mod scores;

pub use dot_attention::{AdditiveAttention, Attention};
pub use group_query_attention::GroupQueryAttention;
pub use multi_head_attention::MultiHeadAttention;
