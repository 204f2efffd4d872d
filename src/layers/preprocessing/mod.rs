//! Preprocessing layers on numbers.

mod normalization;
mod rescaling;

pub use normalization::Normalization;
pub use rescaling::Rescaling;
