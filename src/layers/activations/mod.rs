//! Activations that are layers, with settings that `Activation` has no place for.

mod elu;
mod leaky_relu;
mod prelu;
mod relu;
mod softmax;
mod thresholded_relu;

pub use elu::ELU;
pub use leaky_relu::LeakyReLU;
pub use prelu::PReLU;
pub use relu::ReLU;
pub(crate) use relu::Rectifier;
pub use softmax::Softmax;
pub(crate) use softmax::large_negative;
pub use thresholded_relu::ThresholdedReLU;
