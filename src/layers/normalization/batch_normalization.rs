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

use super::affine::{Affine, normalize, only_axes, wide, widen};
use super::renorm::{Renorm, moved};
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
    renorm: Option<Renorm>,
    moving_mean: Option<Variable>,
    moving_variance: Option<Variable>,
}

/// What a weight of all zeros is divided by where a mask leaves nothing, as in Keras.
const KERAS_EPSILON: f64 = 1e-7;

impl BatchNormalization {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        // With one device, statistics are always those of the whole batch.
        config.bool("synchronized")?;
        let epsilon = config.float("epsilon")?;
        let axis = match config.get("axis") {
            Json::Array(items) if items.len() == 1 => config.ints("axis")?[0],
            _ => config.int("axis")?,
        };
        Ok(Box::new(BatchNormalizationLayer {
            base: LayerBase::new("BatchNormalization", config)?,
            axis,
            momentum: config.float("momentum")?,
            epsilon,
            affine: Affine::from_config(config)?,
            mean_initializer: Initializer::from_config(config, "moving_mean_initializer")?,
            variance_initializer: Initializer::from_config(config, "moving_variance_initializer")?,
            renorm: Renorm::from_config(config, epsilon)?,
            moving_mean: None,
            moving_variance: None,
        }))
    }
}

impl BatchNormalizationLayer {
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

    /// The batch normalized by its own statistics, towards which the moving ones go.
    fn train<'g>(
        &self,
        cx: &Context<'g>,
        x: Value<'g>,
        batch: (Value<'g>, Value<'g>),
        (moving_mean, moving_variance): (&Variable, &Variable),
    ) -> Result<Value<'g>> {
        let (scale, offset) = self.affine.weights(cx, x.dtype(), &batch.0.shape());
        moved(cx, moving_mean, batch.0, self.momentum);
        let weights = match &self.renorm {
            None => {
                moved(cx, moving_variance, batch.1, self.momentum);
                (scale, offset)
            }
            Some(renorm) => {
                let (r, d) = renorm.correction(cx, batch)?;
                let variance = renorm.update(cx, batch, self.momentum)?;
                cx.graph().assign(moving_variance, variance.cast(moving_variance.spec().dtype));
                let shift = scale.map_or(d, |gamma| d * gamma);
                let factor = scale.map_or(r, |gamma| r * gamma);
                (Some(factor), Some(offset.map_or(shift, |beta| shift + beta)))
            }
        };
        Ok(normalize(x, batch, self.epsilon, weights))
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
        match &mut self.renorm {
            Some(renorm) => {
                let initializers = (&self.mean_initializer, &self.variance_initializer);
                renorm.build(&mut self.base, dim, initializers.0, initializers.1)
            }
            None => Ok(()),
        }
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let x = widen(args.input()?);
        let axis = x.shape().axis(self.axis)?;
        let shape = only_axes(&x.shape(), &[axis]);
        let (Some(mean), Some(variance)) = (&self.moving_mean, &self.moving_variance) else {
            return Err(Error::Internal("batch normalization is called before it is built".into()));
        };
        let mask = args.tensor(1, "mask")?;
        let y = if cx.training() && self.base.trainable {
            let batch = Self::batch_statistics(x, mask, axis)?;
            self.train(cx, x, batch, (mean, variance))?
        } else {
            let moving = |v| wide(cx, v, x.dtype()).reshape(shape.clone());
            self.affine.normalize(cx, x, (moving(mean), moving(variance)), self.epsilon, &shape)
        };
        Ok(y.cast(cx.compute_dtype()).into())
    }

    fn keywords(&self) -> &'static [&'static str] {
        &["mask"]
    }
}
