//! Keras models on any GPU.
#![forbid(unsafe_code)]

pub mod base;
pub mod saving;
pub mod tensor;
