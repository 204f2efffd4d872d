//! `keras.optimizers.Adamax`: Adam with the infinity norm, u ← max(beta_2 · u, |g|),
//! w ← w − rate · m / ((1 − beta_1ᵗ) · (u + epsilon)).

use crate::base::Result;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::optimizer;
use crate::optimizers::Weight;
use crate::optimizers::rule::{Rule, Slot, Update};

optimizer! {
    /// Adam with the infinity norm (Kingma and Ba, 2014, section 7).
    Adamax {
        learning_rate: 0.001,
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-7,
    }
}

struct InfinityNorm {
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
}

impl Adamax {
    fn rule(config: &Config) -> Result<impl Rule + use<>> {
        Ok(InfinityNorm {
            beta_1: config.float("beta_1")?,
            beta_2: config.float("beta_2")?,
            epsilon: config.float("epsilon")?,
        })
    }
}

impl Rule for InfinityNorm {
    fn slots(&self, weight: &Weight) -> Vec<Vec<Slot>> {
        vec![["momentum", "norm"].map(|name| Slot::zeros(name, weight)).into()]
    }

    fn update<'g>(&self, update: &Update<'g, '_>, gradient: Value<'g>) -> Result<Value<'g>> {
        let momentum = update.move_slot(0, gradient, 1.0 - self.beta_1)?;
        let norm = update.set_slot(1, (update.slot(1)? * self.beta_2).maximum(gradient.abs()))?;
        let correction = update.scalar(1.0) - update.power(self.beta_1);
        Ok(update.value() - momentum * update.rate() / (correction * (norm + self.epsilon)))
    }
}
