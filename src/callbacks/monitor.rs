//! Which value a callback looks at, and when it is better than another.

use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::metrics::Direction;
use crate::trainers::{Logs, Run};

/// Whether a smaller or a larger value is the better one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// As the name of the value says: a loss is better when it is smaller, a metric as Keras knows it.
    #[default]
    Auto,
    /// Smaller is better.
    Min,
    /// Larger is better.
    Max,
}

/// A value of the logs and the best of it so far.
#[derive(Clone, Debug)]
pub struct Monitor {
    /// Its name in logs.
    pub name: String,
    pub mode: Mode,
    /// By how much a value must be better to count as better.
    pub min_delta: f64,
    pub best: Option<f64>,
}

impl Monitor {
    /// Watches `val_loss`.
    pub fn new() -> Monitor {
        Monitor { name: "val_loss".into(), mode: Mode::Auto, min_delta: 0.0, best: None }
    }

    /// The value in these logs; a warning where there is none.
    ///
    /// # Errors
    /// If it is an array, of which none is better than another.
    pub fn value(&self, owner: &str, logs: &Logs) -> Result<Option<f64>> {
        let Some((_, value)) = logs.iter().find(|(name, _)| *name == self.name) else {
            let names: Vec<&str> = logs.iter().map(|(name, _)| name.as_str()).collect();
            log::warn!("{owner} finds no '{}' in the logs: {}", self.name, names.join(", "));
            return Ok(None);
        };
        let array = || {
            let name = quote(&self.name);
            Error::Invalid(format!(
                "{owner} cannot watch '{name}', which is an array: watch a number"
            ))
        };
        value.number().map(Some).ok_or_else(array)
    }

    /// Whether a value is better than another; any is better than none. Compared in float32, as in
    /// Keras with JAX.
    ///
    /// # Errors
    /// If nothing says which direction is better.
    pub fn is_better(&self, run: &Run<'_>, value: f64, than: Option<f64>) -> Result<bool> {
        let direction = self.direction(run)?;
        let Some(than) = than else { return Ok(true) };
        let delta = self.min_delta.abs();
        Ok(match direction {
            Direction::Down => ((value + delta) as f32) < than as f32,
            Direction::Up => (value - delta) as f32 > than as f32,
        })
    }

    /// [`is_better`](Monitor::is_better) than the best so far, whose place it then takes.
    pub fn improves(&mut self, run: &Run<'_>, value: f64) -> Result<bool> {
        let better = self.is_better(run, value, self.best)?;
        if better {
            self.best = Some(value);
        }
        Ok(better)
    }

    fn direction(&self, run: &Run<'_>) -> Result<Direction> {
        let metric = self.name.strip_prefix("val_").unwrap_or(&self.name);
        let known = match self.mode {
            Mode::Min => Some(Direction::Down),
            Mode::Max => Some(Direction::Up),
            Mode::Auto => {
                run.model.metric_direction(metric).or((metric == "loss").then_some(Direction::Down))
            }
        };
        known.ok_or_else(|| {
            Error::Invalid(format!(
                "nothing says whether a larger or a smaller '{}' is better: set the mode to \
                 Mode::Max or Mode::Min",
                quote(&self.name)
            ))
        })
    }
}
