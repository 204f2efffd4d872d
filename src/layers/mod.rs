//! `keras.layers`: a layer is one file and one line of the registry.

pub mod args;
pub mod builder;
pub mod config;
mod context;
mod core;
mod dtype_policy;
mod layer;
pub mod registry;
mod settings;

pub use args::{Arg, Args, CallArgs};
pub use builder::LayerBuilder;
pub use context::Context;
pub use core::*;
pub use dtype_policy::DTypePolicy;
pub use layer::{Layer, LayerBase, Outputs, SymbolicSpec};
