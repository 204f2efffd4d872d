//! Preprocessing layers on numbers and images.

mod category_encoding;
mod discretization;
mod encoding;
mod image;
mod normalization;
mod rescaling;

pub use category_encoding::CategoryEncoding;
pub use discretization::Discretization;
pub(crate) use image::Resize;
pub use image::*;
pub use normalization::Normalization;
pub use rescaling::Rescaling;
