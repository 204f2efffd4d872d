//! `keras.losses`: how far predictions are from labels, as one number to minimise.
//!
//! | step | where |
//! | --- | --- |
//! | values per sample, from labels and predictions | [`Function`], one row of a table each |
//! | weights and masks on them, and one number | [`reduce_weighted`] |
//! | both together under a name, with a dtype | [`Loss`] |
//!
//! A loss is made by [`get`] from what a compiled model holds: a name such as `"mse"`, or the record
//! of a class or function.

mod axes;
mod cross_entropy;
pub(crate) mod function;
mod hinge;
mod loss;
mod overlap;
pub(crate) mod registry;
pub(crate) mod regression;
mod sequence;
pub(crate) mod weighting;

pub(crate) use axes::Axes;
pub use function::{Function, FunctionDef, Samples};
pub use loss::{FunctionLoss, Loss};
pub use registry::{LOSSES, LossDef, function, get};
pub use weighting::{Reduction, Weights, apply_mask, reduce_weighted, same_rank};
