//! `keras.optimizers.schedules.CosineDecay`: half a cosine from the rate down to alpha times it, after
//! a linear rise to `warmup_target` where one is given.

use std::f64::consts::PI;

use super::{Schedule, first_rate, float, schedule, steps};
use crate::base::Result;
use crate::graph::Value;
use crate::layers::config::Config;

schedule! {
    /// Half a cosine (Loshchilov and Hutter, 2016).
    CosineDecay(initial_learning_rate, decay_steps) {
        alpha: 0.0,
        name: "CosineDecay",
        warmup_target: null,
        warmup_steps: 0,
    }
}

struct Cosine {
    initial: f64,
    steps: f64,
    alpha: f64,
    warmup: Option<Warmup>,
}

struct Warmup {
    target: f64,
    steps: f64,
}

impl CosineDecay {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Schedule>> {
        let warmup_steps = config.float("warmup_steps")?;
        let target = config.optional_float("warmup_target")?;
        Ok(Box::new(Cosine {
            initial: first_rate(config)?,
            steps: steps(config, "decay_steps")?,
            alpha: config.float("alpha")?,
            warmup: target.map(|target| Warmup { target, steps: warmup_steps }),
        }))
    }
}

impl Cosine {
    fn decay<'g>(&self, iteration: Value<'g>, from: f64) -> Value<'g> {
        let turned = (iteration / self.steps * PI).unary("cos");
        ((turned + 1.0) * 0.5 * (1.0 - self.alpha) + self.alpha) * from
    }
}

impl Schedule for Cosine {
    fn rate<'g>(&self, iteration: Value<'g>) -> Value<'g> {
        let iteration = float(iteration);
        let Some(warmup) = &self.warmup else {
            return self.decay(iteration.minimum(iteration.scalar_like(self.steps)), self.initial);
        };
        let end = iteration.scalar_like(self.steps) + warmup.steps;
        let iteration = iteration.minimum(end);
        let (target, initial) =
            (iteration.scalar_like(warmup.target), iteration.scalar_like(self.initial));
        let rise = (target - initial) * (iteration / warmup.steps) + initial;
        let rises = iteration.binary("lt", iteration.scalar_like(warmup.steps));
        rises.select(rise, self.decay(iteration - warmup.steps, warmup.target))
    }
}
