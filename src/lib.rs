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
pub mod models;
pub mod operations;
pub mod program;
pub mod runtime;
pub mod saving;
pub mod tensor;

pub use base::{DType, Error, Result};
pub use models::{
    CustomObjects, FunctionalBuilder as Functional, Model, PredictOptions,
    SequentialBuilder as Sequential,
};
pub use runtime::Device;
pub use saving::saving_lib::{LoadOptions, SaveOptions, load_model, load_model_with};
pub use tensor::Tensor;
