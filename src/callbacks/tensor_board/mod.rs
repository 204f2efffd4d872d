//! `keras.callbacks.TensorBoard`: event files that TensorBoard shows.
//!
//! | part | where |
//! | --- | --- |
//! | which values are written when | this file |
//! | summaries as protocol buffers | `event` |
//! | records with their checksums, files | `record` |
//! | weights as histograms | `histogram` |

mod event;
mod histogram;
mod record;

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::base::{Error, Result};
use crate::callbacks::arguments::arguments;
use crate::callbacks::learning_rate_scheduler::log_rates;
use crate::models::Model;
use crate::models::weights::layer_weights;
use crate::optimizers::Optimizer;
use crate::trainers::{Callback, Logged, Logs, Run};

use event::Summary;
use record::EventFile;

/// Keras's `update_freq`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpdateFreq {
    /// Metrics are written after every epoch.
    #[default]
    Epoch,
    /// And after each so manieth batch.
    Batches(usize),
}

impl UpdateFreq {
    fn is_due(self, batch: u64) -> bool {
        match self {
            UpdateFreq::Epoch => false,
            UpdateFreq::Batches(n) => batch.is_multiple_of(n.max(1) as u64),
        }
    }
}

/// Writes metrics, weights as histograms and the model's structure for TensorBoard, below `train` and
/// `validation` in a folder. Epochs are written always; Keras leaves out those whose last batch
/// `update_freq` does not hit.
#[derive(Debug)]
pub struct TensorBoard {
    log_dir: PathBuf,
    histogram_freq: usize,
    write_graph: bool,
    write_steps_per_second: bool,
    update_freq: UpdateFreq,
    train: Option<EventFile>,
    validation: Option<EventFile>,
    train_batch: u64,
    test_batch: u64,
    batch_start: Instant,
    epoch_start: Instant,
    epoch_iterations: u64,
}

impl TensorBoard {
    /// Writes below a folder after every epoch.
    pub fn new(log_dir: impl Into<PathBuf>) -> TensorBoard {
        TensorBoard {
            log_dir: log_dir.into(),
            histogram_freq: 0,
            write_graph: true,
            write_steps_per_second: false,
            update_freq: UpdateFreq::Epoch,
            train: None,
            validation: None,
            train_batch: 0,
            test_batch: 0,
            batch_start: Instant::now(),
            epoch_start: Instant::now(),
            epoch_iterations: 0,
        }
    }

    arguments! {
        /// Epochs from one histogram of the weights to the next; 0 for none.
        histogram_freq: usize,
        /// Whether the model's structure is written.
        write_graph: bool,
        /// Whether the speed of training is written.
        write_steps_per_second: bool,
        /// When metrics are written.
        update_freq: UpdateFreq,
    }

    fn train(&mut self) -> Result<&mut EventFile> {
        open(&mut self.train, &self.log_dir, "train")
    }

    fn validation(&mut self) -> Result<&mut EventFile> {
        open(&mut self.validation, &self.log_dir, "validation")
    }

    fn write_weights(&mut self, model: &Model, epoch: usize) -> Result<()> {
        for weight in model.layers().iter().flat_map(layer_weights) {
            let values: Vec<f64> = weight.variable.value()?.iter_f64().collect();
            let tag = format!("{}/histogram", weight.path);
            self.train()?.write(epoch as u64, &Summary::histogram(&tag, &values))?;
        }
        Ok(())
    }

    /// Steps of the epoch, by the optimizer's count, in a second.
    fn steps_per_second(&self, model: &Model) -> Result<f64> {
        let steps = iterations(model)?.saturating_sub(self.epoch_iterations);
        Ok(steps as f64 / self.epoch_start.elapsed().as_secs_f64())
    }

    fn flush(&mut self) -> Result<()> {
        self.train.iter_mut().chain(&mut self.validation).try_for_each(EventFile::flush)
    }
}

fn open<'a>(
    file: &'a mut Option<EventFile>,
    folder: &Path,
    name: &str,
) -> Result<&'a mut EventFile> {
    let open = match file.take() {
        Some(open) => open,
        None => EventFile::create(&folder.join(name))?,
    };
    Ok(file.insert(open))
}

/// The summary of a number.
///
/// # Errors
/// For an array, which has no place in a chart of scalars.
fn scalar(tag: &str, value: &Logged) -> Result<Summary> {
    let array = || Error::Unsupported(format!("TensorBoard's scalar '{tag}', which is an array"));
    value.number().map(|number| Summary::scalar(tag, number)).ok_or_else(array)
}

/// Steps that the optimizer has counted.
fn iterations(model: &Model) -> Result<u64> {
    let variables = model.optimizer().map(Optimizer::variables).unwrap_or_default();
    match variables.first() {
        Some(iteration) => Ok(iteration.value()?.iter_f64().next().unwrap_or(0.0) as u64),
        None => Ok(0),
    }
}

impl Callback for TensorBoard {
    fn on_train_begin(&mut self, run: &mut Run<'_>) -> Result<()> {
        self.train_batch = 0;
        if self.write_graph {
            let structure = Summary::keras_model("keras", &run.model.to_json()?);
            self.train()?.write(0, &structure)?;
        }
        Ok(())
    }

    fn on_epoch_begin(&mut self, run: &mut Run<'_>, _: usize) -> Result<()> {
        if self.write_steps_per_second {
            self.epoch_iterations = iterations(run.model)?;
            self.epoch_start = Instant::now();
        }
        Ok(())
    }

    fn on_train_batch_begin(&mut self, _: &mut Run<'_>, _: usize) -> Result<()> {
        self.train_batch += 1;
        self.batch_start = Instant::now();
        Ok(())
    }

    fn on_train_batch_end(&mut self, run: &mut Run<'_>, _: usize) -> Result<()> {
        let step = self.train_batch;
        if !self.update_freq.is_due(step) {
            return Ok(());
        }
        let logs = run.batch_logs()?.clone();
        if self.write_steps_per_second {
            let speed = 1.0 / self.batch_start.elapsed().as_secs_f64();
            self.train()?.write(step, &Summary::scalar("batch_steps_per_second", speed))?;
        }
        for (name, value) in &logs {
            self.train()?.write(step, &scalar(&format!("batch_{name}"), value)?)?;
        }
        Ok(())
    }

    fn on_test_batch_begin(&mut self, _: &mut Run<'_>, _: usize) -> Result<()> {
        self.test_batch += 1;
        Ok(())
    }

    fn on_test_end(&mut self, run: &mut Run<'_>, logs: &Logs) -> Result<()> {
        let due = self.update_freq == UpdateFreq::Epoch || self.update_freq.is_due(self.test_batch);
        if due && run.model.optimizer().is_some() {
            let step = iterations(run.model)?;
            for (name, value) in logs {
                let tag = format!("evaluation_{name}_vs_iterations");
                self.validation()?.write(step, &scalar(&tag, value)?)?;
            }
        }
        if run.params.trains { Ok(()) } else { self.flush() }
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_>, epoch: usize, logs: &mut Logs) -> Result<()> {
        let step = epoch as u64;
        let mut all = logs.clone();
        log_rates(run, &mut all)?;
        if self.write_steps_per_second {
            all.push(("steps_per_second".into(), self.steps_per_second(run.model)?.into()));
        }
        for (name, value) in all {
            match name.strip_prefix("val_") {
                Some(name) => {
                    let summary = scalar(&format!("epoch_{name}"), &value)?;
                    self.validation()?.write(step, &summary)?;
                }
                None => {
                    let summary = scalar(&format!("epoch_{name}"), &value)?;
                    self.train()?.write(step, &summary)?;
                }
            }
        }
        if self.histogram_freq > 0 && epoch.is_multiple_of(self.histogram_freq) {
            self.write_weights(run.model, epoch)?;
        }
        self.flush()
    }

    fn on_train_end(&mut self, _: &mut Run<'_>, _: &Logs) -> Result<()> {
        self.flush()?;
        (self.train, self.validation) = (None, None);
        Ok(())
    }
}
