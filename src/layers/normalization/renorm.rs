//! Batch renormalization (Ioffe 2017): in training, batch statistics corrected towards moving ones, so
//! that small batches are normalized as inference would.
//!
//! With σ the batch's deviation, r = σ / renorm_stddev and d = (mean − renorm_mean) / renorm_stddev,
//! both within their bounds and without a gradient, a normalized x becomes x · r + d.

use crate::base::{Error, Result};
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::config::{Config, Json};
use crate::layers::{Context, LayerBase};
use crate::tensor::Variable;

use super::affine::wide;

/// The settings and variables that batch normalization has with `renorm`.
pub(super) struct Renorm {
    momentum: f64,
    epsilon: f64,
    clipping: Clipping,
    variables: Option<Statistics>,
}

/// Bounds of the correction, each of which may be missing.
#[derive(Default)]
struct Clipping {
    rmin: Option<f64>,
    rmax: Option<f64>,
    dmax: Option<f64>,
}

struct Statistics {
    moving_stddev: Variable,
    renorm_mean: Variable,
    renorm_stddev: Variable,
}

impl Clipping {
    fn from_config(config: &Config) -> Result<Clipping> {
        let bad = || config.bad("renorm_clipping", "numbers for rmin, rmax and dmax");
        let mut clipping = Clipping::default();
        let bounds = match config.get("renorm_clipping") {
            Json::Null => return Ok(clipping),
            Json::Object(bounds) => bounds,
            _ => return Err(bad()),
        };
        for (key, value) in bounds {
            let bound = match key.as_str() {
                "rmin" => &mut clipping.rmin,
                "rmax" => &mut clipping.rmax,
                "dmax" => &mut clipping.dmax,
                _ => return Err(bad()),
            };
            if !value.is_null() {
                *bound = Some(value.as_f64().ok_or_else(bad)?);
            }
        }
        if clipping.rmin.zip(clipping.rmax).is_some_and(|(min, max)| max < min) {
            return Err(config.bad("renorm_clipping", "an rmax of at least rmin"));
        }
        if clipping.dmax.is_some_and(|max| max < 0.0) {
            return Err(config.bad("renorm_clipping", "a dmax of at least 0"));
        }
        Ok(clipping)
    }
}

impl Renorm {
    /// Reads the settings; `None` without `renorm`.
    pub fn from_config(config: &Config, epsilon: f64) -> Result<Option<Renorm>> {
        let momentum = config.optional_float("renorm_momentum")?.unwrap_or(0.99);
        let clipping = Clipping::from_config(config)?;
        Ok(config.bool("renorm")?.then_some(Renorm {
            momentum,
            epsilon,
            clipping,
            variables: None,
        }))
    }

    /// Makes the variables for `dim` channels.
    pub fn build(
        &mut self,
        base: &mut LayerBase,
        dim: usize,
        mean: &Initializer,
        variance: &Initializer,
    ) -> Result<()> {
        let deviation = match variance {
            Initializer::Constant(variance) => Initializer::Constant(variance.sqrt()),
            _ => Initializer::Named("the square root of a random initializer"),
        };
        self.variables = Some(Statistics {
            moving_stddev: base.add_non_trainable("moving_stddev", [dim], &deviation)?,
            renorm_mean: base.add_non_trainable("renorm_mean", [dim], mean)?,
            renorm_stddev: base.add_non_trainable("renorm_stddev", [dim], &deviation)?,
        });
        Ok(())
    }

    fn variables(&self) -> Result<&Statistics> {
        let unbuilt = || Error::Internal("batch renormalization before it is built".into());
        self.variables.as_ref().ok_or_else(unbuilt)
    }

    /// What a normalized batch is multiplied by, and what is added to it then: r and d. Mean and
    /// variance are those of the batch.
    pub fn correction<'g>(
        &self,
        cx: &Context<'g>,
        (mean, variance): (Value<'g>, Value<'g>),
    ) -> Result<(Value<'g>, Value<'g>)> {
        let variables = self.variables()?;
        let old = |v: &Variable| wide(cx, v, mean.dtype()).reshape(mean.shape());
        let deviation = old(&variables.renorm_stddev);
        let deviation = deviation.maximum(deviation.like(self.epsilon.sqrt()));
        let Clipping { rmin, rmax, dmax } = self.clipping;
        let r = (variance + self.epsilon).sqrt() / deviation;
        let r = rmin.map_or(r, |min| r.maximum(r.like(min)));
        let r = rmax.map_or(r, |max| r.minimum(r.like(max)));
        let d = (mean - old(&variables.renorm_mean)) / deviation;
        let d = dmax.map_or(d, |max| d.maximum(d.like(-max)).minimum(d.like(max)));
        Ok((r.stop_gradient(), d.stop_gradient()))
    }

    /// Moves the statistics of renormalization, and gives the new moving variance: that of inference
    /// follows from a moving deviation here. `momentum` is that of the layer.
    pub fn update<'g>(
        &self,
        cx: &Context<'g>,
        (mean, variance): (Value<'g>, Value<'g>),
        momentum: f64,
    ) -> Result<Value<'g>> {
        let variables = self.variables()?;
        let deviation = (variance + self.epsilon).sqrt();
        moved(cx, &variables.renorm_mean, mean, self.momentum);
        moved(cx, &variables.renorm_stddev, deviation, self.momentum);
        let moving = moved(cx, &variables.moving_stddev, deviation, momentum);
        let variance = moving.square() - self.epsilon;
        Ok(variance.maximum(variance.like(0.0)))
    }
}

/// Moves a statistic towards that of a batch, and gives it.
pub(super) fn moved<'g>(
    cx: &Context<'g>,
    moving: &Variable,
    batch: Value<'g>,
    momentum: f64,
) -> Value<'g> {
    let old = wide(cx, moving, batch.dtype());
    let new = old * momentum + batch.reshape(old.shape()) * (1.0 - momentum);
    cx.graph().assign(moving, new.cast(moving.spec().dtype));
    new
}
