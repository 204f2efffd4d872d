//! `compile`, `fit`, `evaluate` and single steps: Keras's `Model` in training.
//!
//! | part | where |
//! | --- | --- |
//! | what `compile` was given, as `compile_config` holds it | [`Compile`] |
//! | losses and metrics of the outputs | `objectives` |
//! | one step as one program: forward, loss, gradients, update, metrics | `step` |
//! | batches, splits, weights of samples | `data` |
//! | epochs | `fit` |
//! | gradients of a model's outputs, without a loss | [`Gradients`] |

mod callback;
mod compile;
mod data;
mod fit;
mod gradients;
mod objectives;
mod step;
mod weights;

pub use callback::{Callback, Logs};
pub use compile::Compile;
pub use data::Data;
pub use fit::{EvaluateOptions, FitOptions, History};
pub use gradients::Gradients;
pub(crate) use step::Training;
