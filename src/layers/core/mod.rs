//! Core layers.

mod activation;
mod dense;
mod dense_kernel;
mod einsum_dense;
mod einsum_equation;
mod embedding;
mod identity;
mod input_layer;
mod masking;
mod reversible_embedding;
mod table;
mod ternary_dense;

pub use activation::Activation;
pub use dense::Dense;
pub use einsum_dense::EinsumDense;
pub use embedding::Embedding;
pub use identity::Identity;
pub use input_layer::InputLayer;
pub use masking::Masking;
pub use reversible_embedding::ReversibleEmbedding;
pub use ternary_dense::TernaryDense;
