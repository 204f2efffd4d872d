//! `compile`, `fit`, `evaluate` and single steps: Keras's `Model` in training.
//!
//! | part | where |
//! | --- | --- |
//! | what `compile` was given, as `compile_config` holds it | [`Compile`] |
//! | the same, output by output | `arguments` |
//! | losses and metrics of the outputs | `objectives` |
//! | one step as one graph: forward, loss, gradients, update, metrics | `trace` |
//! | plans of steps | `step` |
//! | what metrics gave | [`Logs`] |
//! | whether the loss is scaled for float16 | `loss_scaling` |
//! | samples by name, and in the structure of a model | `given` |
//! | splits, weights of samples | `data` |
//! | which samples come when | `batches` |
//! | epochs | `fit` |
//! | gradients of a model's outputs, without a loss | [`Gradients`] |
//! | what is called on the way; Keras's own are in [`callbacks`](crate::callbacks) | [`Callback`] |

mod batches;
mod callback;
mod compile;
mod data;
mod fit;
mod given;
mod gradients;
mod history;
mod learning_rate;
mod logged;
mod loss_scaling;
mod model;
mod objectives;
mod options;
mod placed;
mod step;
mod trace;
mod weights;

pub use callback::{Callback, Params, Run};
pub use compile::Compile;
pub use data::Data;
pub use gradients::Gradients;
pub use history::History;
pub use logged::{Logged, Logs};
pub(crate) use loss_scaling::LossScaling;
pub use options::{EvaluateOptions, FitOptions, Frequency};
pub(crate) use step::Training;
