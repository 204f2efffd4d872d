//! `keras.optimizers.Lion`: w ← w − rate · sign(beta_1 · m + (1 − beta_1) · g),
//! m ← beta_2 · m + (1 − beta_2) · g.

use crate::base::Result;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::optimizer;
use crate::optimizers::Weight;
use crate::optimizers::rule::{Rule, Slot, Update};

optimizer! {
    /// Steps of one size in the direction of the momentum's sign (Chen et al., 2023).
    Lion {
        learning_rate: 0.001,
        beta_1: 0.9,
        beta_2: 0.99,
    }
}

struct SignOfMomentum {
    beta_1: f64,
    beta_2: f64,
}

impl Lion {
    fn rule(config: &Config) -> Result<impl Rule + use<>> {
        let beta_1 = config.float("beta_1")?;
        if beta_1 <= 0.0 || beta_1 > 1.0 {
            return Err(config.bad("beta_1", "a number above 0, up to 1"));
        }
        Ok(SignOfMomentum { beta_1, beta_2: config.float("beta_2")? })
    }
}

impl Rule for SignOfMomentum {
    fn slots(&self, weight: &Weight) -> Vec<Vec<Slot>> {
        vec![vec![Slot::zeros("momentum", weight)]]
    }

    fn update<'g>(&self, update: &Update<'g, '_>, gradient: Value<'g>) -> Result<Value<'g>> {
        let momentum = update.slot(0)?;
        let mixed = |beta: f64| {
            let beta = update.scalar(beta);
            momentum * beta + gradient * (update.scalar(1.0) - beta)
        };
        update.set_slot(0, mixed(self.beta_2))?;
        Ok(update.value() - update.rate() * mixed(self.beta_1).unary("sign"))
    }
}
