//! `keras.optimizers.Adagrad`: a ← a + g², w ← w − rate · g / √(a + epsilon).

use crate::base::Result;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::optimizer;
use crate::optimizers::Weight;
use crate::optimizers::rule::{Rule, Slot, Update};

optimizer! {
    /// Smaller steps for weights that have moved much (Duchi et al., 2011).
    Adagrad {
        learning_rate: 0.001,
        initial_accumulator_value: 0.1,
        epsilon: 1e-7,
    }
}

struct Accumulated {
    initial: f64,
    epsilon: f64,
}

impl Adagrad {
    fn rule(config: &Config) -> Result<impl Rule + use<>> {
        Ok(Accumulated {
            initial: config.float("initial_accumulator_value")?,
            epsilon: config.float("epsilon")?,
        })
    }
}

impl Rule for Accumulated {
    fn slots(&self, weight: &Weight) -> Vec<Vec<Slot>> {
        vec![vec![Slot::filled("accumulator", weight, self.initial)]]
    }

    fn update<'g>(&self, update: &Update<'g, '_>, gradient: Value<'g>) -> Result<Value<'g>> {
        let sum = update.set_slot(0, update.slot(0)? + gradient.square())?;
        Ok(update.value() - gradient * update.rate() / (sum + self.epsilon).sqrt())
    }
}
