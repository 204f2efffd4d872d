//! `keras.optimizers.Lamb`: Adam's step, scaled by the norm of the weight over the norm of the step.

use super::adam::momentum_and_velocity;
use super::clipping::norm;
use crate::base::Result;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::optimizer;
use crate::optimizers::Weight;
use crate::optimizers::rule::{Rule, Slot, Update};

optimizer! {
    /// Adam with steps in the size of each weight (You et al., 2019).
    Lamb {
        learning_rate: 0.001,
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-7,
    }
}

struct LayerWise {
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
}

impl Lamb {
    fn rule(config: &Config) -> Result<impl Rule + use<>> {
        Ok(LayerWise {
            beta_1: config.float("beta_1")?,
            beta_2: config.float("beta_2")?,
            epsilon: config.float("epsilon")?,
        })
    }
}

impl Rule for LayerWise {
    fn slots(&self, weight: &Weight) -> Vec<Vec<Slot>> {
        vec![momentum_and_velocity(weight)]
    }

    fn update<'g>(&self, update: &Update<'g, '_>, gradient: Value<'g>) -> Result<Value<'g>> {
        let one = update.scalar(1.0);
        let momentum = update.move_slot(0, gradient, 1.0 - self.beta_1)?;
        let velocity = update.move_slot(1, gradient.square(), 1.0 - self.beta_2)?;
        let spread = (velocity / (one - update.power(self.beta_2))).sqrt() + self.epsilon;
        let direction = momentum / (one - update.power(self.beta_1)) / spread;
        let (size, length) = (norm(update.value()), norm(direction));
        let zero = update.scalar(0.0);
        let ratio = length.binary("gt", zero).select(size / length, one);
        let ratio = size.binary("gt", zero).select(ratio, one);
        Ok(update.value() - ratio * update.rate() * direction)
    }
}
