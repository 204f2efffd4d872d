//! Merging layers.

mod concatenate;
mod dot;
mod merge;

pub use concatenate::Concatenate;
pub use dot::Dot;
pub use merge::{Add, Average, Maximum, Minimum, Multiply, Subtract};
