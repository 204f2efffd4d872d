//! `keras.optimizers.schedules.CosineDecayRestarts`: half a cosine again and again, each `t_mul` times
//! as long and from `m_mul` times the rate as the one before.

use std::f64::consts::PI;

use super::{Schedule, first_rate, float, schedule, steps};
use crate::base::Result;
use crate::graph::Value;
use crate::layers::config::Config;

schedule! {
    /// Cosine decay with warm restarts (Loshchilov and Hutter, 2016).
    CosineDecayRestarts(initial_learning_rate, first_decay_steps) {
        t_mul: 2.0,
        m_mul: 1.0,
        alpha: 0.0,
        name: "SGDRDecay",
    }
}

struct CosineRestarts {
    initial: f64,
    first_steps: f64,
    t_mul: f64,
    m_mul: f64,
    alpha: f64,
}

impl CosineDecayRestarts {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Schedule>> {
        Ok(Box::new(CosineRestarts {
            initial: first_rate(config)?,
            first_steps: steps(config, "first_decay_steps")?,
            t_mul: config.float("t_mul")?,
            m_mul: config.float("m_mul")?,
            alpha: config.float("alpha")?,
        }))
    }
}

impl CosineRestarts {
    /// Restarts so far, and the part that is done of the decay since.
    fn position<'g>(&self, done: Value<'g>) -> (Value<'g>, Value<'g>) {
        // Keras compares in float32.
        if self.t_mul as f32 == 1.0 {
            let restarts = done.unary("floor");
            return (restarts, done - restarts);
        }
        let one = done.scalar_like(1.0);
        let factor = done.scalar_like(self.t_mul);
        let restarts = ((one - done * (one - factor)).log() / factor.log()).unary("floor");
        let length = factor.binary("pow", restarts);
        let before = (one - length) / (one - factor);
        (restarts, (done - before) / length)
    }
}

impl Schedule for CosineRestarts {
    fn rate<'g>(&self, iteration: Value<'g>) -> Value<'g> {
        let (restarts, done) = self.position(float(iteration) / self.first_steps);
        let height = restarts.scalar_like(self.m_mul).binary("pow", restarts);
        let alpha = done.scalar_like(self.alpha);
        let cosine = height * 0.5 * ((done * PI).unary("cos") + 1.0);
        ((alpha.scalar_like(1.0) - alpha) * cosine + alpha) * self.initial
    }
}
