//! What is called while a model is trained or evaluated.

use crate::base::Result;
use crate::models::Model;
use crate::runtime::Device;
use crate::trainers::{Data, Logs};

/// Called by `fit` and `evaluate` at the places where Keras calls its callbacks. Every method may look
/// at the model, change it, and end the training with [`Run::stop`].
///
/// # Errors
/// An error of any method ends the call of `fit` or `evaluate`, which gives it to its caller.
pub trait Callback {
    /// Before the first epoch.
    fn on_train_begin(&mut self, _run: &mut Run<'_>) -> Result<()> {
        Ok(())
    }

    /// After the last epoch, with what it gave.
    fn on_train_end(&mut self, _run: &mut Run<'_>, _logs: &Logs) -> Result<()> {
        Ok(())
    }

    /// Before an epoch; epochs count from 0.
    fn on_epoch_begin(&mut self, _run: &mut Run<'_>, _epoch: usize) -> Result<()> {
        Ok(())
    }

    /// After an epoch and its validation. What is added to the logs is seen by later callbacks and
    /// gets into the history.
    fn on_epoch_end(&mut self, _run: &mut Run<'_>, _epoch: usize, _logs: &mut Logs) -> Result<()> {
        Ok(())
    }

    /// Before a batch of training; batches count from 0 in each epoch.
    fn on_train_batch_begin(&mut self, _run: &mut Run<'_>, _batch: usize) -> Result<()> {
        Ok(())
    }

    /// After a batch of training. [`Run::batch_logs`] reads the metrics so far.
    fn on_train_batch_end(&mut self, _run: &mut Run<'_>, _batch: usize) -> Result<()> {
        Ok(())
    }

    /// Before an evaluation, also before the validation of an epoch.
    fn on_test_begin(&mut self, _run: &mut Run<'_>) -> Result<()> {
        Ok(())
    }

    /// After an evaluation, with what it gave.
    fn on_test_end(&mut self, _run: &mut Run<'_>, _logs: &Logs) -> Result<()> {
        Ok(())
    }

    /// Before a batch of an evaluation.
    fn on_test_batch_begin(&mut self, _run: &mut Run<'_>, _batch: usize) -> Result<()> {
        Ok(())
    }

    /// After a batch of an evaluation. [`Run::batch_logs`] reads the metrics so far.
    fn on_test_batch_end(&mut self, _run: &mut Run<'_>, _batch: usize) -> Result<()> {
        Ok(())
    }
}

/// What is known of a training or an evaluation before it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// The number of the last epoch plus 1; 1 for an evaluation.
    pub epochs: usize,
    /// Batches in an epoch, or in the evaluation.
    pub steps: usize,
    /// Whether this is `fit`.
    pub trains: bool,
}

/// A call of `fit` or `evaluate` as callbacks see it.
pub struct Run<'m> {
    /// The model that is trained or evaluated.
    pub model: &'m mut Model,
    /// What computes.
    pub device: &'m Device,
    /// What was known before it started.
    pub params: Params,
    stopped: bool,
    /// The epoch and the batch in it with which training starts.
    start: (usize, usize),
    /// Metrics after the current batch, once somebody has read them.
    logs: Option<Logs>,
}

impl<'m> Run<'m> {
    pub(super) fn new(
        model: &'m mut Model,
        device: &'m Device,
        params: Params,
        first_epoch: usize,
    ) -> Run<'m> {
        Run { model, device, params, stopped: false, start: (first_epoch, 0), logs: None }
    }

    /// Ends the training: Keras's `model.stop_training = True`. The epoch's further batches are left
    /// out; its validation and its end are not.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether something has ended the training.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Starts the training with this batch of this epoch instead. For
    /// [`on_train_begin`](Callback::on_train_begin).
    pub fn start_at(&mut self, epoch: usize, batch: usize) {
        self.start = (epoch, batch);
    }

    pub(super) fn start(&self) -> (usize, usize) {
        self.start
    }

    /// Trains on a batch.
    pub(super) fn step(&mut self, batch: &Data) -> Result<()> {
        self.logs = None;
        self.model.train_step(batch, self.device)
    }

    /// Evaluates a batch.
    pub(super) fn test(&mut self, batch: &Data) -> Result<()> {
        self.logs = None;
        self.model.test_step(batch, self.device)
    }

    /// The metrics of the epoch up to this batch, in Keras's order of names. They are read from the
    /// device once for all callbacks, and only if one asks: reading waits for the device.
    ///
    /// # Errors
    /// If the device fails.
    pub fn batch_logs(&mut self) -> Result<&Logs> {
        let logs = match self.logs.take() {
            Some(logs) => logs,
            None => sorted(self.model.metrics_results(self.device)?),
        };
        Ok(self.logs.insert(logs))
    }
}

/// Logs in the order in which Keras hands them to callbacks: by name.
pub(super) fn sorted(mut logs: Logs) -> Logs {
    logs.sort_by(|(a, _), (b, _)| a.cmp(b));
    logs
}

/// All callbacks of a run, in their order.
pub(super) struct Callbacks<'a, 'c>(pub Vec<&'a mut (dyn Callback + 'c)>);

impl Callbacks<'_, '_> {
    /// Calls one after the other, until one fails.
    pub fn each(&mut self, mut f: impl FnMut(&mut dyn Callback) -> Result<()>) -> Result<()> {
        self.0.iter_mut().try_for_each(|callback| f(*callback))
    }
}
