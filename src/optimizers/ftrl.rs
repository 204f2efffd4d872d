//! `keras.optimizers.Ftrl`: follow the regularized leader, with n the sum of g² and z the linear part:
//! w ← (clip(z, ±l1) − z) / (n^−power / rate + 2 · (l2 + beta / (2 · rate))).

use crate::base::Result;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::optimizer;
use crate::optimizers::Weight;
use crate::optimizers::rule::{Rule, Slot, Update};

optimizer! {
    /// Follow the regularized leader (McMahan et al., 2013).
    Ftrl {
        learning_rate: 0.001,
        learning_rate_power: (-0.5),
        initial_accumulator_value: 0.1,
        l1_regularization_strength: 0.0,
        l2_regularization_strength: 0.0,
        l2_shrinkage_regularization_strength: 0.0,
        beta: 0.0,
    }
}

struct Leader {
    power: f64,
    initial: f64,
    l1: f64,
    l2: f64,
    shrinkage: f64,
    beta: f64,
}

impl Ftrl {
    fn rule(config: &Config) -> Result<impl Rule + use<>> {
        let not_negative = |key: &str| match config.float(key)? {
            value if value < 0.0 => Err(config.bad(key, "a number that is not negative")),
            value => Ok(value),
        };
        let power = config.float("learning_rate_power")?;
        if power > 0.0 {
            return Err(config.bad("learning_rate_power", "a number that is not positive"));
        }
        Ok(Leader {
            power,
            initial: not_negative("initial_accumulator_value")?,
            l1: not_negative("l1_regularization_strength")?,
            l2: not_negative("l2_regularization_strength")?,
            shrinkage: not_negative("l2_shrinkage_regularization_strength")?,
            beta: config.float("beta")?,
        })
    }
}

impl Rule for Leader {
    fn slots(&self, weight: &Weight) -> Vec<Vec<Slot>> {
        let accumulator = Slot::filled("accumulator", weight, self.initial);
        vec![vec![accumulator, Slot::zeros("linear", weight)]]
    }

    fn update<'g>(&self, update: &Update<'g, '_>, gradient: Value<'g>) -> Result<Value<'g>> {
        let rate = update.rate();
        let value = update.value();
        let root = |sum: Value<'g>| sum.binary("pow", sum.scalar_like(-self.power));
        let l2 = update.scalar(self.beta) / (rate * 2.0) + self.l2;
        let old = update.slot(0)?;
        let sum = old + gradient.square();
        let shrunk = gradient + value * (2.0 * self.shrinkage);
        let linear = update.slot(1)? + (shrunk - (root(sum) - root(old)) / rate * value);
        let linear = update.set_slot(1, linear)?;
        update.set_slot(0, sum)?;
        let quadratic = root(sum) / rate + l2 * 2.0;
        let clipped = linear.maximum(update.scalar(-self.l1)).minimum(update.scalar(self.l1));
        Ok((clipped - linear) / quadratic)
    }
}
