//! `keras.callbacks.BackupAndRestore`.
//!
//! The state of a training is two files: the weights, and a small one (`backup`) that says which
//! weights file and which place in the training belong together. The small one is replaced in one step, after the
//! weights are safe, so whenever a process dies there is one complete state. Keras writes weights
//! under one name and then their epoch; a process that dies in between repeats an epoch there.

use std::fs;
use std::path::PathBuf;

use crate::base::{Error, Result};
use crate::callbacks::arguments::arguments;
use crate::callbacks::backup::{Place, WEIGHTS_ENDING, numbers, remember};
use crate::callbacks::save_freq::{Counter, SaveFreq};
use crate::models::weights::memory;
use crate::trainers::{Callback, Logs, Run};

const STATE: &str = "training_metadata.json";
const PREVIOUS: &str = "training_metadata.json.bkp";

/// Keeps a training's state in a folder, and goes on from there when `fit` is called again after the
/// process has died. The weights then come out as if nothing had happened, bit for bit.
///
/// Kept are the weights, the states of random layers, and the optimizer. Metrics of an epoch that was
/// cut short count the batches since it was taken up again, and other callbacks start anew.
#[derive(Debug)]
pub struct BackupAndRestore {
    folder: PathBuf,
    save_freq: SaveFreq,
    double_checkpoint: bool,
    delete_checkpoint: bool,
    counter: Counter,
    epoch: usize,
    /// What was last kept or taken up.
    last: Option<Place>,
}

impl BackupAndRestore {
    /// Keeps the state after every epoch. The folder is for this callback alone.
    pub fn new(backup_dir: impl Into<PathBuf>) -> BackupAndRestore {
        BackupAndRestore {
            folder: backup_dir.into(),
            save_freq: SaveFreq::Epoch,
            double_checkpoint: false,
            delete_checkpoint: true,
            counter: Counter::default(),
            epoch: 0,
            last: None,
        }
    }

    arguments! {
        /// When the state is kept.
        save_freq: SaveFreq,
        /// Whether the state before the last one is kept too, and used where the last cannot be read.
        double_checkpoint: bool,
        /// Whether the state is deleted when the training is done.
        delete_checkpoint: bool,
    }

    fn save(&mut self, run: &Run<'_>, epoch: usize, batch: usize) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(|e| Error::io(&self.folder, e))?;
        if let Some(last) = self.last.as_ref().filter(|_| self.double_checkpoint) {
            last.write(&self.folder.join(PREVIOUS))?;
        }
        let place = Place {
            epoch,
            batch,
            weights: format!("{epoch}-{batch}{WEIGHTS_ENDING}"),
            memory: numbers(&memory(&run.model.root()))?,
        };
        run.model.save_weights(self.folder.join(&place.weights))?;
        place.write(&self.folder.join(STATE))?;
        self.last = Some(place);
        self.remove_unused()
    }

    /// Takes up a state; whether there was one.
    fn restore(&mut self, run: &mut Run<'_>, name: &str) -> Result<bool> {
        let Some(place) = Place::read(&self.folder.join(name))? else { return Ok(false) };
        run.model.load_weights(self.folder.join(&place.weights))?;
        remember(&memory(&run.model.root()), &place.memory)?;
        run.start_at(place.epoch, place.batch);
        log::info!("training goes on with epoch {}, batch {}", place.epoch + 1, place.batch);
        self.last = Some(place);
        Ok(true)
    }

    /// Deletes weights that no state names.
    fn remove_unused(&self) -> Result<()> {
        let mut named = Vec::new();
        for name in [STATE, PREVIOUS] {
            // One that cannot be read keeps nothing from being deleted.
            let place = Place::read(&self.folder.join(name)).unwrap_or_default();
            named.extend(place.map(|place| place.weights));
        }
        self.remove(|name| name.ends_with(WEIGHTS_ENDING) && !named.iter().any(|n| n == name))
    }

    /// Deletes the files of the folder whose names are chosen.
    fn remove(&self, chosen: impl Fn(&str) -> bool) -> Result<()> {
        let failed = |error| Error::io(&self.folder, error);
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if chosen(&entry.file_name().to_string_lossy()) {
                fs::remove_file(entry.path()).map_err(|e| Error::io(entry.path(), e))?;
            }
        }
        Ok(())
    }
}

impl Callback for BackupAndRestore {
    fn on_train_begin(&mut self, run: &mut Run<'_>) -> Result<()> {
        self.last = None;
        match self.restore(run, STATE) {
            Ok(_) => Ok(()),
            Err(error) => {
                log::warn!("{error}");
                if self.restore(run, PREVIOUS)? { Ok(()) } else { Err(error) }
            }
        }
    }

    fn on_epoch_begin(&mut self, _: &mut Run<'_>, epoch: usize) -> Result<()> {
        self.epoch = epoch;
        Ok(())
    }

    fn on_train_batch_end(&mut self, run: &mut Run<'_>, batch: usize) -> Result<()> {
        if !self.counter.is_due(self.save_freq, run) {
            return Ok(());
        }
        self.save(run, self.epoch, batch + 1)
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_>, epoch: usize, _: &mut Logs) -> Result<()> {
        match self.save_freq {
            SaveFreq::Epoch => self.save(run, epoch + 1, 0),
            SaveFreq::Batches(_) => Ok(()),
        }
    }

    fn on_train_end(&mut self, _: &mut Run<'_>, _: &Logs) -> Result<()> {
        if !self.delete_checkpoint || !self.folder.exists() {
            return Ok(());
        }
        // The state goes first: weights without one are no state.
        for name in [STATE, PREVIOUS] {
            self.remove(|found| found == name)?;
        }
        self.remove(|name| name.ends_with(WEIGHTS_ENDING) || name.ends_with(".tmp"))?;
        // What others have put into the folder stays, and so does the folder then.
        let _left = fs::remove_dir(&self.folder);
        Ok(())
    }
}
