//! `keras.optimizers.schedules.PiecewiseConstantDecay`: one rate up to each boundary, and one beyond.

use super::{Schedule, schedule};
use crate::base::{DType, Result};
use crate::graph::Value;
use crate::layers::config::{Config, Json};

schedule! {
    /// `values[i]` up to and with `boundaries[i]`, the last value after all of them.
    PiecewiseConstantDecay(boundaries, values) {
        name: "PiecewiseConstant",
    }
}

struct Piecewise {
    boundaries: Vec<f64>,
    values: Vec<f64>,
}

impl PiecewiseConstantDecay {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Schedule>> {
        let numbers = |key: &str| {
            let numbers = config
                .get(key)
                .as_array()
                .map(|items| items.iter().map(Json::as_f64).collect::<Option<Vec<f64>>>());
            numbers.flatten().ok_or_else(|| config.bad(key, "a list of numbers"))
        };
        let (boundaries, values) = (numbers("boundaries")?, numbers("values")?);
        if boundaries.is_empty() || boundaries.len() + 1 != values.len() {
            return Err(
                config.bad("values", "one more than there are boundaries, of which one or more")
            );
        }
        Ok(Box::new(Piecewise { boundaries, values }))
    }
}

impl Schedule for Piecewise {
    fn rate<'g>(&self, iteration: Value<'g>) -> Value<'g> {
        let number = |value: f64| iteration.graph().scalar(value, DType::Float32);
        // As in Keras, every piece is a test of its own and what holds is added up.
        let below = |bound: f64| iteration.binary("le", boundary(iteration, bound));
        let piece = |holds: Value<'g>, value: f64| holds.select(number(value), number(0.0));
        let (Some(&first), Some(&last)) = (self.boundaries.first(), self.boundaries.last()) else {
            return number(0.0);
        };
        let (Some(&start), Some(&end)) = (self.values.first(), self.values.last()) else {
            return number(0.0);
        };
        let outer = piece(below(first), start) + piece(below(last).unary("not"), end);
        let inner = self.boundaries.windows(2).zip(&self.values[1..]);
        inner.fold(outer, |sum, (bounds, &value)| {
            let within = below(bounds[0]).unary("not").binary("and", below(bounds[1]));
            sum + piece(within, value)
        })
    }
}

/// A boundary in the iteration's dtype: cut to an integer for an integer.
fn boundary(iteration: Value<'_>, bound: f64) -> Value<'_> {
    let bound = if iteration.dtype().is_float() { bound } else { bound.trunc() };
    iteration.scalar_like(bound)
}
