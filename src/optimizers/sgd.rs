//! `keras.optimizers.SGD`: w ← w − rate · g; with momentum m ← momentum · m − rate · g and
//! w ← w + m, looking ahead by one step with Nesterov's form.

use crate::base::Result;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::optimizer;
use crate::optimizers::Weight;
use crate::optimizers::rule::{Rule, Slot, Update};

optimizer! {
    /// Gradient descent with momentum.
    SGD {
        learning_rate: 0.01,
        momentum: 0.0,
        nesterov: false,
    }
}

struct Descent {
    momentum: f64,
    nesterov: bool,
}

impl SGD {
    fn rule(config: &Config) -> Result<impl Rule + use<>> {
        let momentum = config.float("momentum")?;
        if !(0.0..=1.0).contains(&momentum) {
            return Err(config.bad("momentum", "a number from 0 to 1"));
        }
        Ok(Descent { momentum, nesterov: config.bool("nesterov")? })
    }
}

impl Rule for Descent {
    fn slots(&self, weight: &Weight) -> Vec<Vec<Slot>> {
        let momentum = (self.momentum != 0.0).then(|| Slot::zeros("momentum", weight));
        vec![momentum.into_iter().collect()]
    }

    fn update<'g>(&self, update: &Update<'g, '_>, gradient: Value<'g>) -> Result<Value<'g>> {
        let step = gradient * update.rate();
        if self.momentum == 0.0 {
            return Ok(update.value() - step);
        }
        let momentum = update.set_slot(0, update.slot(0)? * self.momentum - step)?;
        Ok(match self.nesterov {
            true => update.value() + (momentum * self.momentum - step),
            false => update.value() + momentum,
        })
    }
}
