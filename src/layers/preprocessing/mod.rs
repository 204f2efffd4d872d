//! Preprocessing layers on numbers.

mod category_encoding;
mod discretization;
mod encoding;
mod normalization;
mod rescaling;

pub use category_encoding::CategoryEncoding;
pub use discretization::Discretization;
pub use normalization::Normalization;
pub use rescaling::Rescaling;
