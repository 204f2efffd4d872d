//! `keras.layers.BatchNormalization`: output = (inputs − mean) / √(variance + epsilon) · gamma + beta.
//!
//! In inference mean and variance are the moving statistics. A training step takes those of its
//! batch and moves the statistics towards them: moving = moving · momentum + batch · (1 − momentum).
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | gamma | (extent of axis) | scale |
//! | beta | (extent of axis) | center |
//! | moving_mean, moving_variance | (extent of axis), not trainable | always |
//! | moving_stddev, renorm_mean, renorm_stddev | (extent of axis), not trainable | renorm |
//!
//! Output shape = input shape.

use super::affine::{Affine, only_axes, wide, widen};
use crate::base::{DType, Error, Result, Shape};
use crate::builder;
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::config::{Config, Json};
use crate::layers::layer::layer_base;
use crate::layers::{Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec};
use crate::tensor::Variable;

builder! {
    /// Normalizes each channel by statistics over all other axes.
    BatchNormalization() {
        axis: (-1),
        momentum: 0.99,
        epsilon: 0.001,
        center: true,
        scale: true,
        beta_initializer: "zeros",
        gamma_initializer: "ones",
        moving_mean_initializer: "zeros",
        moving_variance_initializer: "ones",
        beta_regularizer: null,
        gamma_regularizer: null,
        beta_constraint: null,
        gamma_constraint: null,
        synchronized: false,
        renorm: false,
        renorm_clipping: null,
        renorm_momentum: 0.99,
    }
}

struct BatchNormalizationLayer {
    base: LayerBase,
    axis: i64,
    momentum: f64,
    epsilon: f64,
    affine: Affine,
    mean_initializer: Initializer,
    variance_initializer: Initializer,
    renorm: bool,
    moving_mean: Option<Variable>,
    moving_variance: Option<Variable>,
}

/// What a weight of all zeros is divided by where a mask leaves nothing, as in Keras.
const KERAS_EPSILON: f64 = 1e-7;

impl BatchNormalization {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        // With one device, statistics are always those of the whole batch.
        config.bool("synchronized")?;
        take_renorm_settings(config)?;
        let axis = match config.get("axis") {
            Json::Array(items) if items.len() == 1 => config.ints("axis")?[0],
            _ => config.int("axis")?,
        };
        Ok(Box::new(BatchNormalizationLayer {
            base: LayerBase::new("BatchNormalization", config)?,
            axis,
            momentum: config.float("momentum")?,
            epsilon: config.float("epsilon")?,
            affine: Affine::from_config(config)?,
            mean_initializer: Initializer::from_config(config, "moving_mean_initializer")?,
            variance_initializer: Initializer::from_config(config, "moving_variance_initializer")?,
            renorm: config.bool("renorm")?,
            moving_mean: None,
            moving_variance: None,
        }))
    }
}

/// Takes the bounds of batch renormalization, which only a training step uses.
fn take_renorm_settings(config: &Config) -> Result<()> {
    config.optional_float("renorm_momentum")?;
    let known = |(key, value): (&String, &Json)| {
        ["rmin", "rmax", "dmax"].contains(&key.as_str()) && (value.is_null() || value.is_number())
    };
    match config.get("renorm_clipping") {
        Json::Null => Ok(()),
        Json::Object(bounds) if bounds.iter().all(known) => Ok(()),
        _ => Err(config.bad("renorm_clipping", "numbers for rmin, rmax and dmax")),
    }
}

impl BatchNormalizationLayer {
    /// The variables of batch renormalization, which only training reads.
    fn add_renorm_variables(&mut self, dim: usize) -> Result<()> {
        let deviation = match &self.variance_initializer {
            Initializer::Constant(variance) => Initializer::Constant(variance.sqrt()),
            _ => Initializer::Named("the square root of a random initializer"),
        };
        self.base.add_non_trainable("moving_stddev", [dim], &deviation)?;
        self.base.add_non_trainable("renorm_mean", [dim], &self.mean_initializer)?;
        self.base.add_non_trainable("renorm_stddev", [dim], &deviation)?;
        Ok(())
    }

    /// Mean and variance over all axes but `axis`, of the elements that a mask leaves.
    fn batch_statistics<'g>(
        x: Value<'g>,
        mask: Option<Value<'g>>,
        axis: usize,
    ) -> Result<(Value<'g>, Value<'g>)> {
        let axes: Vec<usize> = (0..x.rank()).filter(|&i| i != axis).collect();
        let Some(mask) = mask else { return Ok(x.moments(&axes)) };
        let shape = x.shape();
        let mut extents = mask.shape().to_vec();
        if extents.len() + 1 != shape.rank() {
            let expected = format!("one axis less than the inputs {shape}");
            return Err(Error::shape("mask", mask.shape().to_string(), expected));
        }
        extents.push(1);
        let mask = mask.cast(DType::Bool).reshape(extents).broadcast(shape.clone());
        let weight = mask.cast(x.dtype()).sum(&axes).keep_axes(&shape, &axes) + KERAS_EPSILON;
        let mean_of =
            |v: Value<'g>| mask.select(v, v.like(0.0)).sum(&axes).keep_axes(&shape, &axes) / weight;
        let mean = mean_of(x);
        Ok((mean, mean_of((x - mean).square())))
    }

    fn move_statistic<'g>(&self, cx: &Context<'g>, moving: &Variable, batch: Value<'g>) {
        let old = wide(cx, moving, batch.dtype());
        let batch = batch.reshape(old.shape());
        let new = old * self.momentum + batch * (1.0 - self.momentum);
        cx.graph().assign(moving, new.cast(moving.spec().dtype));
    }
}

impl Layer for BatchNormalizationLayer {
    layer_base!();

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let dim = inputs.input_shape()?.known(self.axis)?;
        self.affine.build(&mut self.base, &Shape::from([dim]))?;
        let mean = self.base.add_non_trainable("moving_mean", [dim], &self.mean_initializer)?;
        self.moving_mean = Some(mean);
        let variance =
            self.base.add_non_trainable("moving_variance", [dim], &self.variance_initializer)?;
        self.moving_variance = Some(variance);
        if self.renorm { self.add_renorm_variables(dim) } else { Ok(()) }
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let x = widen(args.input()?);
        let axis = x.shape().axis(self.axis)?;
        let shape = only_axes(&x.shape(), &[axis]);
        let (Some(mean), Some(variance)) = (&self.moving_mean, &self.moving_variance) else {
            return Err(Error::Internal("batch normalization is called before it is built".into()));
        };
        let statistics = if cx.training() && self.base.trainable {
            if self.renorm {
                return Err(Error::Unsupported("training with batch renormalization".into()));
            }
            let batch = Self::batch_statistics(x, args.tensor(1, "mask"), axis)?;
            self.move_statistic(cx, mean, batch.0);
            self.move_statistic(cx, variance, batch.1);
            batch
        } else {
            let moving = |v| wide(cx, v, x.dtype()).reshape(shape.clone());
            (moving(mean), moving(variance))
        };
        let y = self.affine.normalize(cx, x, statistics, self.epsilon, &shape);
        Ok(y.cast(cx.compute_dtype()).into())
    }

    fn keywords(&self) -> &'static [&'static str] {
        &["mask"]
    }
}
