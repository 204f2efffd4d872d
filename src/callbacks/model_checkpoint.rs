//! `keras.callbacks.ModelCheckpoint`.

use std::path::PathBuf;

use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::callbacks::arguments::arguments;
use crate::callbacks::file_name::{self, Number};
use crate::callbacks::monitor::{Mode, Monitor};
use crate::callbacks::save_freq::{Counter, SaveFreq};
use crate::trainers::{Callback, Logged, Logs, Run};

/// Saves the model, or its weights, after epochs or batches.
#[derive(Debug)]
pub struct ModelCheckpoint {
    filepath: String,
    monitor: Monitor,
    save_best_only: bool,
    save_weights_only: bool,
    save_freq: SaveFreq,
    counter: Counter,
    epoch: usize,
}

impl ModelCheckpoint {
    /// Saves after every epoch. The name may hold the epoch, the batch and metrics in Python's form:
    /// `{epoch:02d}-{val_loss:.2f}.keras`; epochs and batches in names count from 1. It ends in
    /// `.keras` or `.h5`; in `.weights.h5` the weights alone are saved, which is Keras's
    /// `save_weights_only`.
    ///
    /// # Errors
    /// If the name ends otherwise.
    pub fn new(filepath: impl Into<String>) -> Result<ModelCheckpoint> {
        let filepath = filepath.into();
        if ![".keras", ".h5"].iter().any(|ending| filepath.ends_with(ending)) {
            return Err(Error::Invalid(format!(
                "ModelCheckpoint: the file name '{}' ends in none of .keras, .h5, .weights.h5",
                quote(&filepath)
            )));
        }
        Ok(ModelCheckpoint {
            save_weights_only: filepath.ends_with(".weights.h5"),
            filepath,
            monitor: Monitor::new(),
            save_best_only: false,
            save_freq: SaveFreq::Epoch,
            counter: Counter::default(),
            epoch: 0,
        })
    }

    /// The value to watch, by its name in the history; `val_loss` where nothing is said.
    #[must_use]
    pub fn monitor(mut self, name: &str) -> ModelCheckpoint {
        self.monitor.name = name.into();
        self
    }

    /// Which direction is better.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> ModelCheckpoint {
        self.monitor.mode = mode;
        self
    }

    /// The value that a first saved model must be better than.
    #[must_use]
    pub fn initial_value_threshold(mut self, value: f64) -> ModelCheckpoint {
        self.monitor.best = Some(value);
        self
    }

    arguments! {
        /// Whether only a model that is better than all before is saved.
        save_best_only: bool,
        /// When to save.
        save_freq: SaveFreq,
    }

    fn save(&mut self, run: &Run<'_>, batch: Option<usize>, logs: &Logs) -> Result<()> {
        let path = self.path(batch, logs)?;
        if !self.should_save(run, logs)? {
            return Ok(());
        }
        log::info!("epoch {}: saving the model to {}", self.epoch + 1, path.display());
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        }
        if self.save_weights_only { run.model.save_weights(&path) } else { run.model.save(&path) }
    }

    fn path<'l>(&self, batch: Option<usize>, logs: &'l Logs) -> Result<PathBuf> {
        let number = |n: usize| Number::Int(n as i64 + 1);
        let mut values = vec![("epoch", number(self.epoch))];
        values.extend(batch.map(|batch| ("batch", number(batch))));
        let number = |(name, value): &'l (String, Logged)| {
            value.number().map(|value| (name.as_str(), Number::Float(value)))
        };
        values.extend(logs.iter().filter_map(number));
        file_name::format(&self.filepath, &values).map(PathBuf::from)
    }

    fn should_save(&mut self, run: &Run<'_>, logs: &Logs) -> Result<bool> {
        if !self.save_best_only {
            return Ok(true);
        }
        // As in Keras: what cannot be compared is saved.
        if logs.iter().any(|(name, value)| *name == self.monitor.name && value.number().is_none()) {
            log::warn!("ModelCheckpoint watches '{}', which is no number", self.monitor.name);
            return Ok(true);
        }
        match self.monitor.value("ModelCheckpoint", logs)? {
            Some(value) => self.monitor.improves(run, value),
            None => Ok(true),
        }
    }
}

impl Callback for ModelCheckpoint {
    fn on_epoch_begin(&mut self, _: &mut Run<'_>, epoch: usize) -> Result<()> {
        self.epoch = epoch;
        Ok(())
    }

    fn on_train_batch_end(&mut self, run: &mut Run<'_>, batch: usize) -> Result<()> {
        if !self.counter.is_due(self.save_freq, run) {
            return Ok(());
        }
        let logs = run.batch_logs()?.clone();
        self.save(run, Some(batch), &logs)
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_>, _: usize, logs: &mut Logs) -> Result<()> {
        match self.save_freq {
            SaveFreq::Epoch => self.save(run, None, logs),
            SaveFreq::Batches(_) => Ok(()),
        }
    }
}
