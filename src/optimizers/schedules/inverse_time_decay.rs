//! `keras.optimizers.schedules.InverseTimeDecay`: rate / (1 + decay_rate · iteration / decay_steps), by
//! whole numbers of decay_steps with `staircase`.

use super::{Schedule, first_rate, float, schedule, steps};
use crate::base::Result;
use crate::graph::Value;
use crate::layers::config::Config;

schedule! {
    /// A rate that falls with the inverse of time.
    InverseTimeDecay(initial_learning_rate, decay_steps, decay_rate) {
        staircase: false,
        name: "InverseTimeDecay",
    }
}

struct InverseTime {
    initial: f64,
    steps: f64,
    rate: f64,
    staircase: bool,
}

impl InverseTimeDecay {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Schedule>> {
        Ok(Box::new(InverseTime {
            initial: first_rate(config)?,
            steps: steps(config, "decay_steps")?,
            rate: config.float("decay_rate")?,
            staircase: config.bool("staircase")?,
        }))
    }
}

impl Schedule for InverseTime {
    fn rate<'g>(&self, iteration: Value<'g>) -> Value<'g> {
        let decays = float(iteration) / self.steps;
        let decays = if self.staircase { decays.unary("floor") } else { decays };
        decays.scalar_like(self.initial) / (decays * self.rate + 1.0)
    }
}
