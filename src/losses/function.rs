//! Functions of labels and predictions: what losses and metrics put weights on.

use std::sync::Arc;

use crate::base::{Error, Result};
use crate::graph::Value;
use crate::layers::config::{Config, Json};
use crate::operations::formulas::{EPSILON, float};

/// What a function gives for a batch.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'g> {
    /// One value per sample, or one per place of a sample.
    pub values: Value<'g>,
    /// Which of the values count, where the function itself leaves some out.
    pub mask: Option<Value<'g>>,
}

impl<'g> From<Value<'g>> for Samples<'g> {
    fn from(values: Value<'g>) -> Samples<'g> {
        Samples { values, mask: None }
    }
}

/// A function of labels and predictions with its arguments. Wrong shapes are remembered by the graph.
pub trait Function: Send + Sync {
    /// The values per sample, before weights and reduction.
    fn call<'g>(&self, y_true: Value<'g>, y_pred: Value<'g>) -> Samples<'g>;
}

impl<F> Function for F
where
    F: for<'g> Fn(Value<'g>, Value<'g>) -> Samples<'g> + Send + Sync,
{
    fn call<'g>(&self, y_true: Value<'g>, y_pred: Value<'g>) -> Samples<'g> {
        self(y_true, y_pred)
    }
}

/// A formula that counts all its values.
pub(crate) fn formula<F>(f: F) -> Arc<dyn Function>
where
    F: for<'g> Fn(Value<'g>, Value<'g>) -> Value<'g> + Send + Sync + 'static,
{
    masked(move |y_true, y_pred| f(y_true, y_pred).into())
}

/// A formula that may leave values out.
pub(crate) fn masked<F>(f: F) -> Arc<dyn Function>
where
    F: for<'g> Fn(Value<'g>, Value<'g>) -> Samples<'g> + Send + Sync + 'static,
{
    Arc::new(f)
}

/// What a table says of a function of `keras.losses` or `keras.metrics`.
pub struct FunctionDef {
    /// The function's name in Keras.
    pub name: &'static str,
    /// Defaults of the arguments besides labels and predictions; null where there is none.
    pub defaults: fn() -> Json,
    /// Reads the arguments from a config and gives the function with them.
    pub new: fn(&Config) -> Result<Arc<dyn Function>>,
}

/// Declares a table: `functions! { NAME: name { argument: default } |config| body; … }`. The body
/// gives the function.
macro_rules! functions {
    ($(#[$doc:meta])* $table:ident:
        $($name:ident $({ $($key:ident : $default:tt),* })? |$c:pat_param| $body:expr;)*
    ) => {
        $(#[$doc])*
        pub(crate) const $table: &[$crate::losses::FunctionDef] = &[$(
            $crate::losses::FunctionDef {
                name: stringify!($name),
                defaults: || serde_json::json!({ $($(stringify!($key): $default),*)? }),
                new: |$c| Ok($body),
            }
        ),*];
    };
}
pub(crate) use functions;

/// Labels in the dtype of the predictions, and both as floats: whole numbers become float32.
pub(crate) fn floats<'g>(y_true: Value<'g>, y_pred: Value<'g>) -> (Value<'g>, Value<'g>) {
    let y_true = y_true.cast(y_pred.dtype());
    (float(y_true), float(y_pred))
}

/// The epsilon as Keras holds it beside predictions: in their dtype, so 0 for whole numbers.
pub(crate) fn epsilon_beside(y_pred: Value<'_>) -> f64 {
    if y_pred.dtype().is_float() { EPSILON } else { 0.0 }
}

/// Labels and predictions must have one shape.
pub(crate) fn equal_shapes(what: &str, y_true: Value<'_>, y_pred: Value<'_>) {
    if y_true.shape() != y_pred.shape() {
        let found = format!("labels {} and predictions {}", y_true.shape(), y_pred.shape());
        y_true.graph().fail(Error::shape(what, found, "one shape"));
    }
}
