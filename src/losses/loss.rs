//! What every loss is.

use std::sync::Arc;

use crate::base::{DType, Result};
use crate::graph::Value;
use crate::layers::config::Config;
use crate::losses::weighting::{self, Reduction, Weights, reduce_weighted, same_rank};
use crate::losses::{Function, Samples};

/// A loss of a model, in Keras's terms: a function of labels and predictions, a reduction, a dtype.
pub trait Loss: Send + Sync {
    /// The name under which the loss is reported.
    fn name(&self) -> &str;

    /// How values per sample become one number.
    fn reduction(&self) -> Reduction {
        Reduction::SumOverBatchSize
    }

    /// The dtype in which the loss is computed.
    fn dtype(&self) -> DType {
        DType::Float32
    }

    /// Values per sample, of labels and predictions in the loss's dtype.
    fn call<'g>(&self, y_true: Value<'g>, y_pred: Value<'g>) -> Samples<'g>;

    /// The loss of a batch: what Keras's `__call__` gives. A scalar of the loss's dtype, or weighted
    /// values per sample without a reduction.
    fn compute<'g>(&self, y_true: Value<'g>, y_pred: Value<'g>, weights: Weights<'g>) -> Value<'g> {
        let dtype = self.dtype();
        let samples = self.call(y_true.cast(dtype), y_pred.cast(dtype));
        let mask = match (weights.mask, samples.mask) {
            (Some(a), Some(b)) => Some(a.cast(DType::Bool).binary("and", b)),
            (a, b) => a.or(b),
        };
        let sample_weight = weights.sample_weight.map(|w| w.cast(dtype));
        let weights = Weights { sample_weight, mask };
        reduce_weighted(samples.values.cast(dtype), weights, self.reduction())
    }
}

/// `LossFunctionWrapper`: a loss made of a function. All losses of Keras are.
pub struct FunctionLoss {
    name: String,
    reduction: Reduction,
    dtype: DType,
    function: Arc<dyn Function>,
}

impl FunctionLoss {
    /// A loss in float32 over the batch.
    pub fn new(name: impl Into<String>, function: Arc<dyn Function>) -> FunctionLoss {
        let (reduction, dtype) = (Reduction::default(), DType::Float32);
        FunctionLoss { name: name.into(), reduction, dtype, function }
    }

    /// A loss with the `name`, `reduction` and `dtype` of a config.
    pub(crate) fn from_config(
        config: &Config,
        otherwise_named: &str,
        function: Arc<dyn Function>,
    ) -> Result<FunctionLoss> {
        Ok(FunctionLoss {
            name: weighting::name(config, otherwise_named)?,
            reduction: Reduction::from_config(config)?,
            dtype: weighting::dtype(config)?,
            function,
        })
    }
}

impl Loss for FunctionLoss {
    fn name(&self) -> &str {
        &self.name
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn dtype(&self) -> DType {
        self.dtype
    }

    fn call<'g>(&self, y_true: Value<'g>, y_pred: Value<'g>) -> Samples<'g> {
        let (y_true, y_pred) = same_rank(y_true, y_pred);
        self.function.call(y_true, y_pred)
    }
}
