//! Keras models on any GPU.
#![deny(unsafe_code)]

pub mod activations;
pub mod base;
pub mod gpu;
pub mod graph;
pub mod initializers;
pub mod kernels;
pub mod layers;
pub mod manual;
pub mod operations;
pub mod program;
pub mod runtime;
pub mod saving;
pub mod tensor;
