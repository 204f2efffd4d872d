//! `keras.optimizers.Adam` and `AdamW`: m and v are moving means of g and g²,
//! w ← w − rate · √(1 − beta_2ᵗ) / (1 − beta_1ᵗ) · m / (√v + epsilon). With `amsgrad`, v is the largest
//! so far. `AdamW` is `Adam` with weight decay set.

use crate::base::Result;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::optimizer;
use crate::optimizers::Weight;
use crate::optimizers::rule::{Rule, Slot, Update};

optimizer! {
    /// Steps in the size of the gradient's mean over its deviation (Kingma and Ba, 2014).
    Adam {
        learning_rate: 0.001,
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-7,
        amsgrad: false,
    }
}

optimizer! {
    /// Adam with weight decay (Loshchilov and Hutter, 2017).
    AdamW {
        learning_rate: 0.001,
        weight_decay: 0.004,
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-7,
        amsgrad: false,
    }
}

/// The moving means of Adam and what follows from them.
pub struct Moments {
    pub beta_1: f64,
    pub beta_2: f64,
    pub epsilon: f64,
    pub amsgrad: bool,
}

impl Adam {
    fn rule(config: &Config) -> Result<impl Rule + use<>> {
        Moments::from_config(config)
    }
}

impl AdamW {
    fn rule(config: &Config) -> Result<impl Rule + use<>> {
        if config.is_null("weight_decay") {
            return Err(config.bad("weight_decay", "a number"));
        }
        Moments::from_config(config)
    }
}

impl Moments {
    fn from_config(config: &Config) -> Result<Moments> {
        Ok(Moments {
            beta_1: config.float("beta_1")?,
            beta_2: config.float("beta_2")?,
            epsilon: config.float("epsilon")?,
            amsgrad: config.bool("amsgrad")?,
        })
    }

    /// The next value of a weight whose first slots are the moving means.
    pub fn step<'g>(
        &self,
        update: &Update<'g, '_>,
        gradient: Value<'g>,
        rate: Value<'g>,
    ) -> Result<Value<'g>> {
        let one = update.scalar(1.0);
        let correction =
            (one - update.power(self.beta_2)).sqrt() / (one - update.power(self.beta_1));
        let momentum = update.move_slot(0, gradient, 1.0 - self.beta_1)?;
        let mut velocity = update.move_slot(1, gradient.square(), 1.0 - self.beta_2)?;
        if self.amsgrad {
            velocity = update.set_slot(2, update.slot(2)?.maximum(velocity))?;
        }
        Ok(update.value() - momentum * (rate * correction) / (velocity.sqrt() + self.epsilon))
    }
}

impl Rule for Moments {
    fn slots(&self, weight: &Weight) -> Vec<Vec<Slot>> {
        let hat = self.amsgrad.then(|| Slot::zeros("velocity_hat", weight));
        vec![momentum_and_velocity(weight), hat.into_iter().collect()]
    }

    fn update<'g>(&self, update: &Update<'g, '_>, gradient: Value<'g>) -> Result<Value<'g>> {
        self.step(update, gradient, update.rate())
    }
}

/// The two slots that many optimizers have.
pub fn momentum_and_velocity(weight: &Weight) -> Vec<Slot> {
    vec![Slot::zeros("momentum", weight), Slot::zeros("velocity", weight)]
}
