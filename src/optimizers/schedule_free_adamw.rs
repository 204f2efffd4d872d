//! `keras.optimizers.ScheduleFreeAdamW`: Adam's step on a sequence z, kept in the slot `momentum`;
//! the weight is a mix of z and of the average x of all z: y = (1 − beta_1) · z + beta_1 · x.

use crate::base::Result;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::optimizer;
use crate::optimizers::Weight;
use crate::optimizers::rule::{Rule, Slot, Start, Update};

optimizer! {
    /// Adam without a schedule (Defazio et al., 2024).
    ScheduleFreeAdamW {
        learning_rate: 0.0025,
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-8,
        warmup_steps: 0,
    }
}

struct ScheduleFree {
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
    warmup_steps: f64,
}

impl ScheduleFreeAdamW {
    fn rule(config: &Config) -> Result<impl Rule + use<>> {
        Ok(ScheduleFree {
            beta_1: config.float("beta_1")?,
            beta_2: config.float("beta_2")?,
            epsilon: config.float("epsilon")?,
            warmup_steps: config.float("warmup_steps")?,
        })
    }
}

impl Rule for ScheduleFree {
    fn slots(&self, weight: &Weight) -> Vec<Vec<Slot>> {
        let sequence = Slot { start: Start::Weight, ..Slot::zeros("momentum", weight) };
        vec![vec![sequence, Slot::zeros("velocity", weight)]]
    }

    fn update<'g>(&self, update: &Update<'g, '_>, gradient: Value<'g>) -> Result<Value<'g>> {
        let one = update.scalar(1.0);
        let (beta_1, beta_2) = (update.scalar(self.beta_1), update.scalar(self.beta_2));
        let number = update.number();
        let mut rate = update.rate();
        if self.warmup_steps > 0.0 {
            rate = rate * (number / self.warmup_steps).minimum(one);
        }
        let (old_z, old_v) = (update.slot(0)?, update.slot(1)?);
        let v = update.set_slot(1, old_v + (gradient.square() - old_v) * (one - beta_2))?;
        let spread = (v / (one - update.power(self.beta_2))).sqrt() + self.epsilon;
        let z = update.set_slot(0, old_z - rate * gradient / spread)?;
        let part = one / number;
        let old_x = (update.value() - (one - beta_1) * old_z) / beta_1;
        let x = (one - part) * old_x + part * z;
        Ok((one - beta_1) * z + beta_1 * x)
    }
}
