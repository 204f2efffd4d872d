//! Preprocessing layers on numbers and images.

mod category_encoding;
mod center_crop;
mod discretization;
mod encoding;
mod normalization;
mod rescaling;
mod resizing;

pub use category_encoding::CategoryEncoding;
pub use center_crop::CenterCrop;
pub use discretization::Discretization;
pub use normalization::Normalization;
pub use rescaling::Rescaling;
pub(crate) use resizing::Resize;
pub use resizing::Resizing;
