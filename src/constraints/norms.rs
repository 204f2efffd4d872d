//! The constraints of Keras.

use std::sync::Arc;

use crate::base::Result;
use crate::constraints::Constraint;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::operations::formulas::EPSILON;

/// `NonNeg`: negative elements become zero.
pub(super) struct NonNeg;

impl Constraint for NonNeg {
    fn call<'g>(&self, weight: Value<'g>) -> Result<Value<'g>> {
        Ok(weight.maximum(weight.scalar_like(0.0)))
    }
}

/// Which length vectors of a weight are to have.
enum Desired {
    One,
    AtMost(f64),
    /// The length moved by `rate` towards the nearest one between `min` and `max`.
    Between {
        min: f64,
        max: f64,
        rate: f64,
    },
}

/// `MaxNorm`, `MinMaxNorm`, `UnitNorm`: vectors along `axes` are brought to a length.
struct Norm {
    desired: Desired,
    /// None for all axes.
    axes: Option<Vec<i64>>,
}

pub(super) fn max_norm(config: &Config) -> Result<Arc<dyn Constraint>> {
    norm(config, Desired::AtMost(config.float("max_value")?))
}

pub(super) fn unit_norm(config: &Config) -> Result<Arc<dyn Constraint>> {
    norm(config, Desired::One)
}

pub(super) fn min_max_norm(config: &Config) -> Result<Arc<dyn Constraint>> {
    let (min, max) = (config.float("min_value")?, config.float("max_value")?);
    norm(config, Desired::Between { min, max, rate: config.float("rate")? })
}

fn norm(config: &Config, desired: Desired) -> Result<Arc<dyn Constraint>> {
    let axes = if config.is_null("axis") { None } else { Some(config.ints("axis")?) };
    Ok(Arc::new(Norm { desired, axes }))
}

impl Constraint for Norm {
    fn call<'g>(&self, weight: Value<'g>) -> Result<Value<'g>> {
        let shape = weight.shape();
        let axes = match &self.axes {
            None => (0..shape.rank()).collect(),
            Some(axes) => axes.iter().map(|&axis| shape.axis(axis)).collect::<Result<Vec<_>>>()?,
        };
        let norms = weight.square().sum(&axes).keep_axes(&shape, &axes).sqrt();
        let clip = |low: f64, high: f64| {
            norms.maximum(norms.scalar_like(low)).minimum(norms.scalar_like(high))
        };
        let desired = match self.desired {
            Desired::One => return Ok(weight / (norms + EPSILON)),
            Desired::AtMost(max) => clip(0.0, max),
            Desired::Between { min, max, rate } => clip(min, max) * rate + norms * (1.0 - rate),
        };
        Ok(weight * (desired / (norms + EPSILON)))
    }
}
