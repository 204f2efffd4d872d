//! `keras.callbacks.EarlyStopping`.

use crate::base::Result;
use crate::callbacks::arguments::arguments;
use crate::callbacks::monitor::{Mode, Monitor};
use crate::models::weights::layer_weights;
use crate::tensor::{Tensor, Variable};
use crate::trainers::{Callback, Logs, Run};

/// Ends the training when a value has stopped getting better.
#[derive(Debug)]
pub struct EarlyStopping {
    monitor: Monitor,
    patience: usize,
    baseline: Option<f64>,
    restore_best_weights: bool,
    start_from_epoch: usize,
    wait: usize,
    stopped_epoch: usize,
    best_epoch: usize,
    best_weights: Option<Vec<(Variable, Tensor)>>,
}

impl Default for EarlyStopping {
    fn default() -> EarlyStopping {
        EarlyStopping::new()
    }
}

impl EarlyStopping {
    /// Watches `val_loss` without patience.
    pub fn new() -> EarlyStopping {
        EarlyStopping {
            monitor: Monitor::new(),
            patience: 0,
            baseline: None,
            restore_best_weights: false,
            start_from_epoch: 0,
            wait: 0,
            stopped_epoch: 0,
            best_epoch: 0,
            best_weights: None,
        }
    }

    /// The value to watch, by its name in the history.
    #[must_use]
    pub fn monitor(mut self, name: &str) -> EarlyStopping {
        self.monitor.name = name.into();
        self
    }

    /// By how much a value must be better to count.
    #[must_use]
    pub fn min_delta(mut self, delta: f64) -> EarlyStopping {
        self.monitor.min_delta = delta;
        self
    }

    /// Which direction is better.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> EarlyStopping {
        self.monitor.mode = mode;
        self
    }

    arguments! {
        /// Epochs without a better value after which training ends.
        patience: usize,
        /// A value that must be reached for an epoch to count as better.
        baseline: Option<f64>,
        /// Whether the weights of the best epoch are put back at the end.
        restore_best_weights: bool,
        /// Epochs before which nothing is watched.
        start_from_epoch: usize,
    }

    /// The epoch that ended the training, or 0.
    pub fn stopped_epoch(&self) -> usize {
        self.stopped_epoch
    }

    fn keep_weights(&mut self, run: &Run<'_>) -> Result<()> {
        if self.restore_best_weights {
            let weights = layer_weights(&run.model.root()).into_iter();
            let values = weights.map(|w| Ok((w.variable.clone(), w.variable.value()?)));
            self.best_weights = Some(values.collect::<Result<_>>()?);
        }
        Ok(())
    }
}

impl Callback for EarlyStopping {
    fn on_train_begin(&mut self, _: &mut Run<'_>) -> Result<()> {
        (self.wait, self.stopped_epoch, self.best_epoch) = (0, 0, 0);
        (self.monitor.best, self.best_weights) = (None, None);
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_>, epoch: usize, logs: &mut Logs) -> Result<()> {
        let Some(current) = self.monitor.value("EarlyStopping", logs)? else { return Ok(()) };
        if epoch < self.start_from_epoch {
            return Ok(());
        }
        if self.best_weights.is_none() {
            self.keep_weights(run)?;
            self.best_epoch = epoch;
        }
        self.wait += 1;
        if self.monitor.improves(run, current)? {
            self.best_epoch = epoch;
            self.keep_weights(run)?;
            if self.monitor.is_better(run, current, self.baseline)? {
                self.wait = 0;
            }
            return Ok(());
        }
        if self.wait >= self.patience && epoch > 0 {
            self.stopped_epoch = epoch;
            run.stop();
        }
        Ok(())
    }

    fn on_train_end(&mut self, _: &mut Run<'_>, _: &Logs) -> Result<()> {
        if self.stopped_epoch > 0 {
            log::info!("epoch {}: early stopping", self.stopped_epoch + 1);
        }
        let Some(weights) = &self.best_weights else { return Ok(()) };
        log::info!("the weights are those of the best epoch: {}", self.best_epoch + 1);
        weights.iter().try_for_each(|(variable, value)| variable.assign(value.clone()))
    }
}
