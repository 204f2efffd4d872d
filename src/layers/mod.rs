//! `keras.layers`: a layer is one file and one line of the registry.

mod activations;
pub mod args;
pub mod builder;
pub mod config;
mod context;
mod convolutional;
mod core;
mod dtype_policy;
pub(crate) mod layer;
mod merging;
mod normalization;
pub(crate) mod numbers;
mod pooling;
mod preprocessing;
pub mod registry;
mod regularization;
mod reshaping;
mod settings;
pub(crate) mod spatial;
mod stateless;

pub(crate) use activations::Rectifier;
pub use activations::*;
pub use args::{Arg, Args, CallArgs};
pub use builder::LayerBuilder;
pub use context::Context;
pub use convolutional::*;
pub use core::*;
pub use dtype_policy::DTypePolicy;
pub use layer::{Layer, LayerBase, Outputs, SymbolicSpec};
pub use merging::*;
pub use normalization::*;
pub use pooling::*;
pub use preprocessing::*;
pub use regularization::*;
pub(crate) use reshaping::resolve_shape;
pub use reshaping::*;
