//! What is called while a model is trained.

use crate::base::Result;
use crate::models::Model;

/// Names and values of what an epoch or a batch gave, in Keras's order of names.
pub type Logs = Vec<(String, f64)>;

/// Called by `fit` at the places where Keras calls its callbacks. Every method may look at the model,
/// change it, and end the training.
pub trait Callback {
    /// Before the first epoch.
    fn on_train_begin(&mut self, _model: &mut Model) -> Result<()> {
        Ok(())
    }

    /// Before an epoch; epochs count from 0.
    fn on_epoch_begin(&mut self, _model: &mut Model, _epoch: usize) -> Result<()> {
        Ok(())
    }

    /// After a batch, with the metrics so far where they have been read.
    fn on_train_batch_end(
        &mut self,
        _model: &mut Model,
        _batch: usize,
        _logs: Option<&Logs>,
    ) -> Result<()> {
        Ok(())
    }

    /// After an epoch and its validation.
    fn on_epoch_end(&mut self, _model: &mut Model, _epoch: usize, _logs: &Logs) -> Result<()> {
        Ok(())
    }

    /// After the last epoch.
    fn on_train_end(&mut self, _model: &mut Model) -> Result<()> {
        Ok(())
    }

    /// Whether the training shall end after this epoch.
    fn stops(&self) -> bool {
        false
    }
}
