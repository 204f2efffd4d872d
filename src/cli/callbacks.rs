//! Callbacks of `keraunos fit`, as options.

use std::io::Write;
use std::path::PathBuf;

use crate::base::{Error, Result};
use crate::callbacks::{
    BackupAndRestore, CSVLogger, Callback, EarlyStopping, ModelCheckpoint, TensorBoard,
    TerminateOnNaN,
};
use crate::trainers::{Logs, Run};

/// What happens besides training.
#[derive(clap::Args)]
pub struct CallbackArgs {
    /// Save the model after every epoch; the name may hold {epoch:02d} and {val_loss:.2f}
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<String>,
    /// Save only models that are better than all before
    #[arg(long, requires = "checkpoint")]
    save_best_only: bool,
    /// End after so many epochs without a better value
    #[arg(long, value_name = "EPOCHS")]
    early_stopping: Option<usize>,
    /// Put the weights of the best epoch back at the end
    #[arg(long, requires = "early_stopping")]
    restore_best_weights: bool,
    /// What is watched for that: val_loss, or loss without a validation, where nothing is said
    #[arg(long, value_name = "NAME")]
    monitor: Option<String>,
    /// Write losses and metrics of every epoch to a file
    #[arg(long, value_name = "LOG.csv")]
    csv_log: Option<PathBuf>,
    /// Write event files for TensorBoard below a folder
    #[arg(long, value_name = "FOLDER")]
    tensorboard: Option<PathBuf>,
    /// Keep the state in a folder, and go on from there when run again after an interruption
    #[arg(long, value_name = "FOLDER")]
    backup: Option<PathBuf>,
    /// End when the loss is not finite
    #[arg(long)]
    terminate_on_nan: bool,
}

impl CallbackArgs {
    /// The callbacks, in an order in which none undoes what another has seen.
    pub fn make(&self, validates: bool) -> Result<Vec<Box<dyn Callback>>> {
        let monitor =
            self.monitor.as_deref().unwrap_or(if validates { "val_loss" } else { "loss" });
        let mut all: Vec<Box<dyn Callback>> = Vec::new();
        if let Some(folder) = &self.backup {
            all.push(Box::new(BackupAndRestore::new(folder)));
        }
        if let Some(file) = &self.checkpoint {
            let checkpoint = ModelCheckpoint::new(file)?.monitor(monitor);
            all.push(Box::new(checkpoint.save_best_only(self.save_best_only)));
        }
        if let Some(patience) = self.early_stopping {
            let stop = EarlyStopping::new().monitor(monitor).patience(patience);
            all.push(Box::new(stop.restore_best_weights(self.restore_best_weights)));
        }
        if self.terminate_on_nan {
            all.push(Box::new(TerminateOnNaN::new()));
        }
        if let Some(file) = &self.csv_log {
            all.push(Box::new(CSVLogger::new(file)));
        }
        if let Some(folder) = &self.tensorboard {
            all.push(Box::new(TensorBoard::new(folder)));
        }
        Ok(all)
    }
}

/// A line for each epoch.
pub struct Report<'w>(pub &'w mut dyn Write);

impl Callback for Report<'_> {
    fn on_epoch_end(&mut self, run: &mut Run<'_>, epoch: usize, logs: &mut Logs) -> Result<()> {
        let logs = logs.iter().map(|(name, value)| format!("{name}: {:.4}", value.mean()));
        let logs: Vec<String> = logs.collect();
        let line = format!("Epoch {}/{} - {}", epoch + 1, run.params.epochs, logs.join(" - "));
        let written = writeln!(self.0, "{line}").and_then(|()| self.0.flush());
        written.map_err(|source| Error::Io { path: "standard output".into(), source })
    }
}
