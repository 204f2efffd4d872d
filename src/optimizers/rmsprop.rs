//! `keras.optimizers.RMSprop`: v ← rho · v + (1 − rho) · g², w ← w − rate · g / √(v + epsilon).
//! Centered, the square of the average gradient is taken off v.

use crate::base::Result;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::optimizer;
use crate::optimizers::Weight;
use crate::optimizers::rule::{Rule, Slot, Update};

optimizer! {
    /// Gradients over the root of their mean square.
    RMSprop {
        learning_rate: 0.001,
        rho: 0.9,
        momentum: 0.0,
        epsilon: 1e-7,
        centered: false,
    }
}

struct RootMeanSquare {
    rho: f64,
    momentum: f64,
    epsilon: f64,
    centered: bool,
}

impl RMSprop {
    fn rule(config: &Config) -> Result<impl Rule + use<>> {
        Ok(RootMeanSquare {
            rho: config.float("rho")?,
            momentum: config.float("momentum")?,
            epsilon: config.float("epsilon")?,
            centered: config.bool("centered")?,
        })
    }
}

impl RootMeanSquare {
    fn has_momentum(&self) -> bool {
        self.momentum > 0.0
    }

    fn averaged<'g>(
        &self,
        update: &Update<'g, '_>,
        slot: usize,
        value: Value<'g>,
    ) -> Result<Value<'g>> {
        update.set_slot(slot, update.slot(slot)? * self.rho + value * (1.0 - self.rho))
    }
}

impl Rule for RootMeanSquare {
    fn slots(&self, weight: &Weight) -> Vec<Vec<Slot>> {
        let slot = |kept: bool, name| kept.then(|| Slot::zeros(name, weight)).into_iter().collect();
        vec![
            slot(true, "velocity"),
            slot(self.has_momentum(), "momentum"),
            slot(self.centered, "average_gradient"),
        ]
    }

    fn update<'g>(&self, update: &Update<'g, '_>, gradient: Value<'g>) -> Result<Value<'g>> {
        let velocity = self.averaged(update, 0, gradient.square())?;
        let spread = if self.centered {
            let average = self.averaged(update, 1 + usize::from(self.has_momentum()), gradient)?;
            velocity - average.square()
        } else {
            velocity
        };
        let step = gradient * update.rate() / (spread + self.epsilon).sqrt();
        if self.has_momentum() {
            let momentum = update.set_slot(1, update.slot(1)? * self.momentum + step)?;
            return Ok(update.value() - momentum);
        }
        Ok(update.value() - step)
    }
}
