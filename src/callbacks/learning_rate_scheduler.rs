//! `keras.callbacks.LearningRateScheduler`.

use crate::base::Result;
use crate::trainers::{Callback, Logs, Run};

/// Sets the learning rate before every epoch by a function of the epoch, from 0 on, and the current
/// rate.
pub struct LearningRateScheduler<F>(F);

impl<F: FnMut(usize, f64) -> f64> LearningRateScheduler<F> {
    /// A schedule.
    pub fn new(schedule: F) -> LearningRateScheduler<F> {
        LearningRateScheduler(schedule)
    }
}

impl<F: FnMut(usize, f64) -> f64> Callback for LearningRateScheduler<F> {
    fn on_epoch_begin(&mut self, run: &mut Run<'_>, epoch: usize) -> Result<()> {
        run.model.set_learning_rates(|rate| {
            let rate = (self.0)(epoch, rate);
            log::info!("epoch {}: the learning rate is {rate}", epoch + 1);
            Some(rate)
        })
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_>, _: usize, logs: &mut Logs) -> Result<()> {
        log_rates(run, logs)
    }
}

/// Adds the current learning rates to logs.
pub fn log_rates(run: &Run<'_>, logs: &mut Logs) -> Result<()> {
    for (part, rate) in run.model.learning_rates()? {
        let name = match part {
            Some(part) => format!("learning_rate_{part}"),
            None => "learning_rate".to_owned(),
        };
        match logs.iter_mut().find(|(known, _)| *known == name) {
            Some((_, value)) => *value = rate.into(),
            None => logs.push((name, rate.into())),
        }
    }
    Ok(())
}
