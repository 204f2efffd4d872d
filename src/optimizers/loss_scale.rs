//! `keras.optimizers.LossScaleOptimizer`: multiplies the loss, so that gradients do not vanish in
//! float16, and divides the gradients again. A step whose gradients are not finite changes nothing
//! but halves the scale; after `dynamic_growth_steps` good ones the scale doubles.

use std::sync::Arc;

use serde_json::json;

use crate::base::{DType, Error, Result, Shape};
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::config::{Config, Json};
use crate::optimizers::registry;
use crate::optimizers::saved::SavedOptimizer;
use crate::optimizers::settings::{LearningRate, counter};
use crate::optimizers::{Optimizer, OptimizerBuilder, SharedOptimizer, Step, Weight};
use crate::saving::saveable::Child;
use crate::tensor::Variable;

/// A builder of `LossScaleOptimizer` around another optimizer.
#[derive(Clone, Debug)]
pub struct LossScaleOptimizer(OptimizerBuilder);

/// Keys that older versions wrote and that only their defaults are allowed for.
const DEFAULT_ONLY: &[&str] = &[
    "weight_decay",
    "clipnorm",
    "global_clipnorm",
    "clipvalue",
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
    "dynamic",
];

impl LossScaleOptimizer {
    /// Wraps an optimizer.
    pub fn new(inner: impl Into<Json>) -> LossScaleOptimizer {
        let mut defaults = LossScaleOptimizer::defaults();
        if let Json::Object(defaults) = &mut defaults {
            DEFAULT_ONLY.iter().for_each(|key| drop(defaults.shift_remove(*key)));
        }
        let builder = OptimizerBuilder::new("keras.optimizers", "LossScaleOptimizer", defaults);
        LossScaleOptimizer(builder.set("inner_optimizer", inner))
    }

    /// The first loss scale.
    #[must_use]
    pub fn initial_scale(self, scale: f64) -> LossScaleOptimizer {
        LossScaleOptimizer(self.0.set("initial_scale", scale))
    }

    /// Good steps after which the scale doubles.
    #[must_use]
    pub fn dynamic_growth_steps(self, steps: usize) -> LossScaleOptimizer {
        LossScaleOptimizer(self.0.set("dynamic_growth_steps", steps))
    }

    pub(crate) fn defaults() -> Json {
        json!({
            "name": "loss_scale_optimizer",
            "inner_optimizer": null,
            "initial_scale": 32768.0,
            "dynamic_growth_steps": 2000,
            "use_ema": false,
            "ema_momentum": 0.99,
            "dynamic": true,
        })
    }

    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Optimizer>> {
        let defaults = LossScaleOptimizer::defaults();
        for key in DEFAULT_ONLY {
            let default = defaults.get(key).unwrap_or(&Json::Null);
            if config.get(key) != default {
                return Err(config.bad(key, "its default: set it on the inner optimizer"));
            }
        }
        let mut inner = registry::from_record(config.get("inner_optimizer"))?;
        inner.set_loss_scale_factor(None);
        Ok(Box::new(LossScaled {
            name: config.str("name")?.to_owned(),
            inner: inner.into(),
            initial_scale: config.float("initial_scale")?,
            growth_steps: config.size("dynamic_growth_steps")?,
            head: vec![counter("iteration")?, zero_rate()?],
            state: None,
            overwritten: Vec::new(),
        }))
    }
}

impl From<LossScaleOptimizer> for Json {
    fn from(optimizer: LossScaleOptimizer) -> Json {
        optimizer.0.into()
    }
}

/// The learning rate that wrappers store and never use.
pub(super) fn zero_rate() -> Result<Variable> {
    let zero = Initializer::ZEROS.source(Shape::scalar(), DType::Float32)?;
    Ok(Variable::new("learning_rate", false, zero))
}

struct LossScaled {
    name: String,
    inner: SharedOptimizer,
    initial_scale: f64,
    growth_steps: usize,
    head: Vec<Variable>,
    /// Good steps since the scale changed, and the scale.
    state: Option<(Variable, Variable)>,
    /// For each weight, whether its gradient is its next value, which nothing scales.
    overwritten: Vec<bool>,
}

impl Optimizer for LossScaled {
    fn class_name(&self) -> &'static str {
        "LossScaleOptimizer"
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn build(&mut self, weights: &[Weight]) -> Result<()> {
        let scale = Initializer::Constant(self.initial_scale);
        let scale = scale.source(Shape::scalar(), DType::Float32)?;
        self.state = Some((counter("step_counter")?, Variable::new("dynamic_scale", false, scale)));
        self.overwritten = weights.iter().map(|weight| weight.overwritten).collect();
        let inner = Arc::get_mut(&mut self.inner);
        inner.ok_or_else(|| Error::Internal("an optimizer in use is built".into()))?.build(weights)
    }

    fn variables(&self) -> Vec<Variable> {
        let mut all = self.head.clone();
        if let Some((counter, scale)) = &self.state {
            all.extend([counter.clone(), scale.clone()]);
        }
        all.extend(self.inner.variables());
        all
    }

    fn apply<'g>(&self, step: &Step<'g>, gradients: &[Option<Value<'g>>]) -> Result<()> {
        let Some((counter, scale)) = &self.state else {
            return Err(Error::Internal("an optimizer is used before it is built".into()));
        };
        let all_finite = |g: &Value<'g>| {
            let axes: Vec<usize> = (0..g.rank()).collect();
            g.unary("isfinite").min(&axes)
        };
        let finite = gradients.iter().flatten().map(all_finite).reduce(|a, b| a.binary("and", b));
        let Some(finite) = finite else { return Ok(()) };
        let (old_scale, count) = (step.read(scale), step.read(counter));
        let unscaled: Vec<Option<Value<'g>>> = gradients
            .iter()
            .zip(&self.overwritten)
            .map(|(gradient, &overwritten)| {
                gradient.map(|g| if overwritten { g } else { g / old_scale.cast(g.dtype()) })
            })
            .collect();
        self.inner.apply(&step.only_if(finite), &unscaled)?;
        let grown = count.binary("eq", count.scalar_like((self.growth_steps - 1) as f64));
        let next = grown.select(count.like(0.0), count + count.scalar_like(1.0));
        step.assign(counter, finite.select(next, count.like(0.0)));
        let grown = grown.select(old_scale * 2.0, old_scale);
        step.assign(scale, finite.select(grown, old_scale * 0.5));
        Ok(())
    }

    fn scale_loss<'g>(&self, loss: Value<'g>) -> Value<'g> {
        match &self.state {
            Some((_, scale)) => loss * loss.graph().read(scale).cast(loss.dtype()),
            None => loss * self.initial_scale,
        }
    }

    fn finalize(&self, step: &Step<'_>) -> Result<()> {
        self.inner.finalize(step)
    }

    fn learning_rate(&self) -> Option<&LearningRate> {
        self.inner.learning_rate()
    }

    fn set_loss_scale_factor(&mut self, _factor: Option<f64>) {}

    fn parts(&self) -> Vec<SharedOptimizer> {
        vec![self.inner.clone()]
    }

    fn children(&self) -> Vec<(&'static str, Child)> {
        vec![("inner_optimizer", Child::One(Arc::new(SavedOptimizer(self.inner.clone()))))]
    }
}
