//! `keras.optimizers.schedules.PolynomialDecay`: (rate − end) · (1 − iteration / decay_steps)^power + end.
//! With `cycle`, decay_steps grows to the next multiple instead of the rate staying at its end.

use super::{Schedule, first_rate, float, schedule, steps};
use crate::base::Result;
use crate::graph::Value;
use crate::layers::config::Config;

schedule! {
    /// A rate that falls to `end_learning_rate` in `decay_steps` iterations.
    PolynomialDecay(initial_learning_rate, decay_steps) {
        end_learning_rate: 0.0001,
        power: 1.0,
        cycle: false,
        name: "PolynomialDecay",
    }
}

struct Polynomial {
    initial: f64,
    steps: f64,
    end: f64,
    power: f64,
    cycle: bool,
}

impl PolynomialDecay {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Schedule>> {
        Ok(Box::new(Polynomial {
            initial: first_rate(config)?,
            steps: steps(config, "decay_steps")?,
            end: config.float("end_learning_rate")?,
            power: config.float("power")?,
            cycle: config.bool("cycle")?,
        }))
    }
}

impl Schedule for Polynomial {
    fn rate<'g>(&self, iteration: Value<'g>) -> Value<'g> {
        let iteration = float(iteration);
        let steps = iteration.scalar_like(self.steps);
        let part = if self.cycle {
            let cycles = (iteration / steps).unary("ceil");
            let started = iteration.binary("eq", iteration.scalar_like(0.0));
            iteration / (steps * started.select(cycles.like(1.0), cycles))
        } else {
            iteration.minimum(steps) / steps
        };
        let left = part.scalar_like(1.0) - part;
        let (initial, end) = (part.scalar_like(self.initial), part.scalar_like(self.end));
        (initial - end) * left.binary("pow", left.scalar_like(self.power)) + end
    }
}
