#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(test),
    warn(
        clippy::expect_used,
        clippy::panic,
        clippy::print_stderr,
        clippy::print_stdout,
        clippy::unwrap_used
    )
)]

pub mod activations;
pub mod base;
pub mod callbacks;
#[cfg(feature = "cli")]
pub mod cli;
pub mod constraints;
pub mod gpu;
pub mod graph;
pub mod initializers;
pub mod kernels;
pub mod layers;
pub mod losses;
pub mod manual;
pub mod metrics;
pub mod models;
pub mod operations;
pub mod optimizers;
pub mod program;
pub mod quantizers;
pub mod regularizers;
pub mod runtime;
pub mod saving;
pub mod tensor;
pub mod trainers;

pub use base::{DType, Error, Result};
pub use models::{
    CustomObjects, FunctionalBuilder as Functional, Model, PredictOptions,
    SequentialBuilder as Sequential,
};
pub use runtime::Device;
pub use saving::saving_lib::{
    LoadOptions, LoadWeightsOptions, SaveOptions, SaveWeightsOptions, load_model, load_model_from,
    load_model_from_reader, load_model_with,
};
pub use tensor::Tensor;
