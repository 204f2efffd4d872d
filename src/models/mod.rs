//! `keras.models`: layers put together, from a config or in Rust.

mod activations;
mod builder;
mod calls;
pub(crate) mod compile_config;
mod custom;
mod deserialize;
mod distiller;
mod flow;
mod form;
mod functional;
mod host_values;
mod inputs;
mod json;
mod model;
mod order;
mod predict;
mod rebuild;
mod saveable;
mod sequential;
mod shared;
mod single;
mod summary;
mod warm_up;
pub(crate) mod weights;

pub use builder::{
    Functional as FunctionalBuilder, IntoDims, KerasTensor, Sequential as SequentialBuilder,
    SharedLayer,
};
pub use custom::CustomObjects;
pub use inputs::Inputs;
pub use model::{InputSpec, Model};
pub use predict::PredictOptions;
pub(crate) use predict::{batch_size, whole_executions};
pub use summary::{Summary, SummaryRow};
