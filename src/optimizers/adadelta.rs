//! `keras.optimizers.Adadelta`: a ← rho · a + (1 − rho) · g², d = −√(u + epsilon) / √(a + epsilon) · g,
//! u ← rho · u + (1 − rho) · d², w ← w + rate · d.

use crate::base::Result;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::optimizer;
use crate::optimizers::Weight;
use crate::optimizers::rule::{Rule, Slot, Update};

optimizer! {
    /// Steps in the size of earlier steps (Zeiler, 2012).
    Adadelta {
        learning_rate: 0.001,
        rho: 0.95,
        epsilon: 1e-7,
    }
}

struct Delta {
    rho: f64,
    epsilon: f64,
}

impl Adadelta {
    fn rule(config: &Config) -> Result<impl Rule + use<>> {
        Ok(Delta { rho: config.float("rho")?, epsilon: config.float("epsilon")? })
    }
}

impl Delta {
    fn averaged<'g>(
        &self,
        update: &Update<'g, '_>,
        slot: usize,
        value: Value<'g>,
    ) -> Result<Value<'g>> {
        update.set_slot(slot, update.slot(slot)? * self.rho + value * (1.0 - self.rho))
    }
}

impl Rule for Delta {
    fn slots(&self, weight: &Weight) -> Vec<Vec<Slot>> {
        let slots = ["accumulated_grad", "accumulated_delta_var"];
        vec![slots.map(|name| Slot::zeros(name, weight)).into()]
    }

    fn update<'g>(&self, update: &Update<'g, '_>, gradient: Value<'g>) -> Result<Value<'g>> {
        let root = |value: Value<'g>| (value + self.epsilon).sqrt();
        let squares = self.averaged(update, 0, gradient.square())?;
        let delta = -(root(update.slot(1)?) * gradient / root(squares));
        self.averaged(update, 1, delta.square())?;
        Ok(update.value() + delta * update.rate())
    }
}
