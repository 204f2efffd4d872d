//! `keras.callbacks.ReduceLROnPlateau`.

use crate::base::{Error, Result};
use crate::callbacks::arguments::arguments;
use crate::callbacks::learning_rate_scheduler::log_rates;
use crate::callbacks::monitor::{Mode, Monitor};
use crate::trainers::{Callback, Logs, Run};

/// Reduces the learning rate when a value has stopped getting better.
#[derive(Debug)]
pub struct ReduceLROnPlateau {
    monitor: Monitor,
    factor: f64,
    patience: usize,
    cooldown: usize,
    min_lr: f64,
    cooldown_counter: usize,
    wait: usize,
}

impl Default for ReduceLROnPlateau {
    fn default() -> ReduceLROnPlateau {
        ReduceLROnPlateau::new()
    }
}

impl ReduceLROnPlateau {
    /// Takes a tenth of the rate after 10 epochs in which `val_loss` did not fall by 0.0001.
    pub fn new() -> ReduceLROnPlateau {
        ReduceLROnPlateau {
            monitor: Monitor { min_delta: 1e-4, ..Monitor::new() },
            factor: 0.1,
            patience: 10,
            cooldown: 0,
            min_lr: 0.0,
            cooldown_counter: 0,
            wait: 0,
        }
    }

    /// The value to watch, by its name in the history.
    #[must_use]
    pub fn monitor(mut self, name: &str) -> ReduceLROnPlateau {
        self.monitor.name = name.into();
        self
    }

    /// By how much a value must be better to count.
    #[must_use]
    pub fn min_delta(mut self, delta: f64) -> ReduceLROnPlateau {
        self.monitor.min_delta = delta;
        self
    }

    /// Which direction is better.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> ReduceLROnPlateau {
        self.monitor.mode = mode;
        self
    }

    arguments! {
        /// By what the rate is multiplied; less than 1.
        factor: f64,
        /// Epochs without a better value after which the rate is reduced.
        patience: usize,
        /// Epochs after a reduction in which nothing is counted.
        cooldown: usize,
        /// What the rate does not fall below.
        min_lr: f64,
    }

    /// Multiplies the rates; whether one of them was not yet the smallest.
    fn reduce(&self, run: &mut Run<'_>) -> Result<bool> {
        let mut reduced = false;
        run.model.set_learning_rates(|rate| {
            let may = rate > f64::from(self.min_lr as f32);
            reduced |= may;
            may.then(|| (rate * self.factor).max(self.min_lr))
        })?;
        Ok(reduced)
    }
}

impl Callback for ReduceLROnPlateau {
    fn on_train_begin(&mut self, _: &mut Run<'_>) -> Result<()> {
        if self.factor >= 1.0 {
            let what = format!("ReduceLROnPlateau: factor {}, expected less than 1", self.factor);
            return Err(Error::Invalid(what));
        }
        self.monitor.best = None;
        (self.cooldown_counter, self.wait) = (0, 0);
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_>, epoch: usize, logs: &mut Logs) -> Result<()> {
        log_rates(run, logs)?;
        let Some(current) = self.monitor.value("ReduceLROnPlateau", logs)? else { return Ok(()) };
        if self.cooldown_counter > 0 {
            self.cooldown_counter -= 1;
            self.wait = 0;
        }
        if self.monitor.improves(run, current)? {
            self.wait = 0;
        } else if self.cooldown_counter == 0 {
            self.wait += 1;
            if self.wait >= self.patience && self.reduce(run)? {
                log::info!("epoch {}: the learning rate is reduced", epoch + 1);
                self.cooldown_counter = self.cooldown;
                self.wait = 0;
            }
        }
        Ok(())
    }
}
