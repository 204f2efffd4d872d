//! `keras.optimizers.Nadam`: Adam with Nesterov's momentum, whose coefficient grows towards beta_1:
//! uₜ = beta_1 · (1 − 0.5 · 0.96ᵗ).

use super::adam::momentum_and_velocity;
use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::layers::config::Config;
use crate::optimizer;
use crate::optimizers::Weight;
use crate::optimizers::rule::{Rule, Slot, Start, Update};

optimizer! {
    /// Adam that looks one step ahead (Dozat, 2015).
    Nadam {
        learning_rate: 0.001,
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-7,
    }
}

struct LookAhead {
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
}

/// How fast the momentum's coefficient grows.
const DECAY: f64 = 0.96;

impl Nadam {
    fn rule(config: &Config) -> Result<impl Rule + use<>> {
        Ok(LookAhead {
            beta_1: config.float("beta_1")?,
            beta_2: config.float("beta_2")?,
            epsilon: config.float("epsilon")?,
        })
    }
}

impl LookAhead {
    /// uₜ for the update's number `t`.
    fn coefficient<'g>(&self, number: Value<'g>) -> Value<'g> {
        let power = number.scalar_like(DECAY).binary("pow", number);
        (number.scalar_like(1.0) - power * 0.5) * self.beta_1
    }
}

impl Rule for LookAhead {
    fn slots(&self, weight: &Weight) -> Vec<Vec<Slot>> {
        vec![momentum_and_velocity(weight)]
    }

    fn extra(&self, weights: &[Weight]) -> Option<Slot> {
        let dtype = weights.first().map_or(DType::Float32, |w| w.variable.spec().dtype);
        let product = Slot::shaped("u_product", [], dtype);
        Some(Slot { start: Start::Value(1.0), ..product })
    }

    fn begin(&self, update: &Update<'_, '_>) {
        if let Some(product) = update.extra {
            let value = update.step.read(product);
            let number = update.number().cast(value.dtype());
            update.step.assign(product, value * self.coefficient(number));
        }
    }

    fn update<'g>(&self, update: &Update<'g, '_>, gradient: Value<'g>) -> Result<Value<'g>> {
        let missing = || Error::Internal("Nadam without its product".into());
        let product = update.step.read(update.extra.ok_or_else(missing)?).cast(update.dtype());
        let one = update.scalar(1.0);
        let (beta_1, beta_2) = (update.scalar(self.beta_1), update.scalar(self.beta_2));
        let now = self.coefficient(update.number());
        let next = self.coefficient(update.number() + 1.0);
        let (old_m, old_v) = (update.slot(0)?, update.slot(1)?);
        let m = update.set_slot(0, old_m + (gradient - old_m) * (one - beta_1))?;
        let v = update.set_slot(1, old_v + (gradient.square() - old_v) * (one - beta_2))?;
        let ahead = next * m / (one - product * next) + (one - now) * gradient / (one - product);
        let spread = (v / (one - update.power(self.beta_2))).sqrt() + self.epsilon;
        Ok(update.value() - ahead * update.rate() / spread)
    }
}
