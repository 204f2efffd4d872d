//! `keras.optimizers.Adafactor`: the mean square of a gradient of rank 2 and more is kept as the
//! product of its means over rows (r) and columns (c).

use crate::base::{DType, Result, Shape};
use crate::graph::Value;
use crate::layers::config::Config;
use crate::optimizer;
use crate::optimizers::Weight;
use crate::optimizers::rule::{Rule, Slot, Update};

optimizer! {
    /// Adaptive steps from factored second moments (Shazeer and Stern, 2018).
    Adafactor {
        learning_rate: 0.001,
        beta_2_decay: (-0.8),
        epsilon_1: 1e-30,
        epsilon_2: 1e-3,
        clip_threshold: 1.0,
        relative_step: true,
    }
}

struct Factored {
    beta_2_decay: f64,
    epsilon_1: f64,
    epsilon_2: f64,
    clip_threshold: f64,
    relative_step: bool,
}

impl Adafactor {
    fn rule(config: &Config) -> Result<impl Rule + use<>> {
        Ok(Factored {
            beta_2_decay: config.float("beta_2_decay")?,
            epsilon_1: config.float("epsilon_1")?,
            epsilon_2: config.float("epsilon_2")?,
            clip_threshold: config.float("clip_threshold")?,
            relative_step: config.bool("relative_step")?,
        })
    }
}

const ROWS: usize = 0;
const COLUMNS: usize = 1;
const VELOCITY: usize = 2;

impl Rule for Factored {
    fn slots(&self, weight: &Weight) -> Vec<Vec<Slot>> {
        let spec = weight.variable.spec();
        let rank = spec.shape.rank();
        let (rows, columns) = match rank {
            // Keras keeps scalars that nothing uses.
            0 | 1 => (Slot::shaped("r", [], DType::Int32), Slot::shaped("c", [], DType::Int32)),
            _ => (
                Slot::shaped("r", without(&spec.shape, rank - 1), spec.dtype),
                Slot::shaped("c", without(&spec.shape, rank - 2), spec.dtype),
            ),
        };
        vec![vec![rows, columns, Slot::zeros("velocity", weight)]]
    }

    fn update<'g>(&self, update: &Update<'g, '_>, gradient: Value<'g>) -> Result<Value<'g>> {
        let one = update.scalar(1.0);
        let bound = one / update.number().sqrt();
        let mut rate = update.rate();
        if self.relative_step && !update.scheduled {
            rate = rate.minimum(bound);
        }
        let size = root_mean_square(update.value()).maximum(update.scalar(self.epsilon_2));
        let rate = size * rate.minimum(bound);
        let decay = one - update.number().binary("pow", update.scalar(self.beta_2_decay));
        let square = gradient.square() + self.epsilon_1;
        let velocity = self.velocity(update, square, decay)?;
        let direction = gradient / velocity.sqrt();
        let excess = root_mean_square(direction) / self.clip_threshold;
        Ok(update.value() - direction / excess.maximum(one) * rate)
    }
}

impl Factored {
    /// The mean of all squared gradients so far.
    fn velocity<'g>(
        &self,
        update: &Update<'g, '_>,
        square: Value<'g>,
        decay: Value<'g>,
    ) -> Result<Value<'g>> {
        let rest = update.scalar(1.0) - decay;
        let moved = |slot: usize, target: Value<'g>| {
            update.set_slot(slot, decay * update.slot(slot)? + rest * target)
        };
        let shape = square.shape();
        let rank = shape.rank();
        if rank < 2 {
            return moved(VELOCITY, square);
        }
        let rows = moved(ROWS, square.mean(&[rank - 1]))?;
        let columns = moved(COLUMNS, square.mean(&[rank - 2]))?;
        let last = [rank - 2];
        let share = rows / rows.mean(&last).keep_axes(&rows.shape(), &last);
        let product = share.keep_axes(&shape, &[rank - 1]) * columns.keep_axes(&shape, &[rank - 2]);
        update.set_slot(VELOCITY, product)
    }
}

/// The shape without one of its axes.
fn without(shape: &Shape, axis: usize) -> Shape {
    shape.iter().enumerate().filter(|(i, _)| *i != axis).map(|(_, &extent)| extent).collect()
}

fn root_mean_square(value: Value<'_>) -> Value<'_> {
    let axes: Vec<usize> = (0..value.rank()).collect();
    value.square().mean(&axes).sqrt()
}
