//! Keras models on any GPU.
#![forbid(unsafe_code)]

pub mod activations;
pub mod base;
pub mod graph;
pub mod initializers;
pub mod layers;
pub mod program;
pub mod tensor;
