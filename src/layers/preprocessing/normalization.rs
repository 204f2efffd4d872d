//! `keras.layers.Normalization`: output = (inputs − mean) / max(√variance, 1e-7), or the opposite with
//! `invert`.
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | 0 mean, 1 variance | (extents of axis), not trainable | mean is not in the config |
//! | 2 count | (), integer, not trainable | mean is not in the config |
//!
//! Output shape = input shape.

use crate::base::{Error, Result, Shape};
use crate::builder;
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::config::{Config, Json};
use crate::layers::layer::layer_base;
use crate::layers::numbers::numbers;
use crate::layers::{Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec};
use crate::tensor::{Tensor, Variable};

builder! {
    /// Shifts and scales by statistics that are given or come from data.
    Normalization() {
        axis: (-1),
        mean: null,
        variance: null,
        invert: false,
    }
}

/// Where the statistics come from.
enum Statistics {
    /// From the config: mean and variance.
    Given(Tensor, Tensor),
    /// From data: mean and variance, made by `build`.
    Adapted(Option<(Variable, Variable)>),
}

struct NormalizationLayer {
    base: LayerBase,
    axes: Vec<i64>,
    invert: bool,
    statistics: Statistics,
}

/// The smallest standard deviation that is divided by, as in Keras.
const MIN_DEVIATION: f64 = 1e-7;

impl Normalization {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let axes = match config.get("axis") {
            Json::Null => Vec::new(),
            _ => config.ints("axis")?,
        };
        let statistics = match (config.is_null("mean"), config.is_null("variance")) {
            (true, true) => Statistics::Adapted(None),
            (false, false) => {
                Statistics::Given(numbers(config, "mean")?, numbers(config, "variance")?)
            }
            _ => return Err(config.bad("variance", "a value exactly when mean has one")),
        };
        if let Statistics::Given(mean, variance) = &statistics
            && (mean.shape() != variance.shape() || mean.shape().rank() > axes.len())
        {
            return Err(config.bad("mean", "the variance's shape, and one axis for each of axis"));
        }
        Ok(Box::new(NormalizationLayer {
            base: LayerBase::new("Normalization", config)?,
            axes,
            invert: config.bool("invert")?,
            statistics,
        }))
    }
}

impl NormalizationLayer {
    fn kept_axes(&self, rank: usize) -> Result<Vec<usize>> {
        let mut axes: Vec<usize> = self
            .axes
            .iter()
            .map(|&axis| crate::base::shape::normalize_axis(axis, rank))
            .collect::<Result<_>>()?;
        axes.sort_unstable();
        Ok(axes)
    }

    /// Mean and variance, ready to broadcast to inputs of this shape.
    fn statistics<'g>(&self, cx: &Context<'g>, shape: &Shape) -> Result<[Value<'g>; 2]> {
        let both = match &self.statistics {
            Statistics::Given(mean, variance) => {
                [mean, variance].map(|t| cx.graph().constant(t.cast(cx.compute_dtype())))
            }
            Statistics::Adapted(Some((mean, variance))) => {
                [mean, variance].map(|v| cx.read(v).cast(cx.compute_dtype()))
            }
            Statistics::Adapted(None) => {
                let what = "normalization is called before it is built";
                return Err(Error::Internal(what.into()));
            }
        };
        // The last axes of the statistics are the last of the kept axes.
        let mut extents = vec![1; shape.rank()];
        let axes = self.kept_axes(shape.rank())?;
        for (&axis, &extent) in axes.iter().rev().zip(both[0].shape().iter().rev()) {
            extents[axis] = extent;
        }
        Ok(both.map(|v| v.reshape(extents.clone())))
    }
}

impl Layer for NormalizationLayer {
    layer_base!();

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let shape = inputs.input_shape()?;
        let axes = self.kept_axes(shape.rank())?;
        if let Statistics::Adapted(variables) = &mut self.statistics {
            let extents = axes.iter().map(|&axis| shape.known(axis as i64));
            let extents: Vec<usize> = extents.collect::<Result<_>>()?;
            let base = &mut self.base;
            let mean = base.add_non_trainable("mean", extents.clone(), &Initializer::ZEROS)?;
            let variance = base.add_non_trainable("variance", extents, &Initializer::ONES)?;
            base.add_counter("count")?;
            *variables = Some((mean, variance));
        }
        Ok(())
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let x = args.input()?.cast(cx.compute_dtype());
        let [mean, variance] = self.statistics(cx, &x.shape())?;
        let deviation = variance.sqrt();
        let deviation = deviation.maximum(deviation.scalar_like(MIN_DEVIATION));
        let y = if self.invert { mean + x * deviation } else { (x - mean) / deviation };
        Ok(y.into())
    }
}
