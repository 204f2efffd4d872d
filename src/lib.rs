//! Keras models on any GPU.
#![forbid(unsafe_code)]

pub mod base;
pub mod gpu;
pub mod kernels;
pub mod tensor;
