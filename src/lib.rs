//! Keras models on any GPU.
#![forbid(unsafe_code)]

pub mod activations;
pub mod base;
pub mod gpu;
pub mod graph;
pub mod initializers;
pub mod kernels;
pub mod layers;
pub mod manual;
pub mod program;
pub mod saving;
pub mod tensor;
