//! Core layers.

mod activation;
mod dense;
mod input_layer;

pub use activation::Activation;
pub use dense::Dense;
pub use input_layer::InputLayer;
