//! The manual: chapters that explain how things are done here, kept beside the code.

pub mod applications;
pub mod architecture;
pub mod formats;
pub mod gradients;
pub mod numerics;
pub mod operation_gradients;
pub mod performance;
