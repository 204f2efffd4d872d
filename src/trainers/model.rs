//! A compiled model: its optimizer, single steps, metrics.

use std::sync::Arc;

use crate::base::{Error, Result};
use crate::metrics::Direction;
use crate::models::Model;
use crate::optimizers::Optimizer;
use crate::runtime::{Compiled, Device};
use crate::trainers::loss_scaling::LossScaling;
use crate::trainers::{Compile, Data, Logs, Training};

impl Model {
    /// Configures the model for training. State of an earlier optimizer is dropped.
    ///
    /// # Errors
    /// If the optimizer is none of Keras. Losses and metrics are looked at with the first batch,
    /// whose shapes they depend on.
    pub fn compile(&mut self, compile: Compile) -> Result<()> {
        let config = compile.config()?;
        let training = Training::new(self, compile, LossScaling::ByPolicy)?;
        self.set_compiled(config, training);
        Ok(())
    }

    /// Whether the model has been compiled.
    pub fn is_compiled(&self) -> bool {
        self.training.is_some()
    }

    /// Weights that the loss does not depend on, by path, as far as a step has been traced.
    pub fn weights_without_gradient(&self) -> &[String] {
        self.training.as_ref().map_or(&[], |training| &training.without_gradient)
    }

    /// The optimizer.
    pub fn optimizer(&self) -> Option<&dyn Optimizer> {
        self.training.as_ref().and_then(|training| training.optimizer.as_deref())
    }

    /// Runs `f` with the state of training.
    fn in_training<T>(&mut self, f: impl FnOnce(&Model, &mut Training) -> Result<T>) -> Result<T> {
        let mut training = self.training.take().ok_or_else(|| {
            Error::Invalid("the model is not compiled: call compile before training".into())
        })?;
        let result = f(self, &mut training);
        self.training = Some(training);
        result
    }

    /// Batches between one call of callbacks and the next: `compile`'s `steps_per_execution`.
    pub fn steps_per_execution(&self) -> usize {
        self.training.as_ref().map_or(1, |training| training.steps_per_execution)
    }

    /// Forgets the metrics of earlier batches, updates the weights by one batch and returns its metrics.
    ///
    /// # Errors
    /// As [`train_step`](Model::train_step).
    pub fn train_on_batch(&mut self, batch: &Data, device: &Device) -> Result<Logs> {
        self.reset_metrics()?;
        self.train_step(batch, device)?;
        self.metrics_results(device)
    }

    /// Forgets the metrics of earlier batches and computes the loss and the metrics of one batch.
    ///
    /// # Errors
    /// As [`train_step`](Model::train_step).
    pub fn test_on_batch(&mut self, batch: &Data, device: &Device) -> Result<Logs> {
        self.reset_metrics()?;
        self.test_step(batch, device)?;
        self.metrics_results(device)
    }

    /// Updates the weights and the metrics by one batch. Nothing is read back, so a device may still
    /// be at work when this returns.
    ///
    /// # Errors
    /// If the model is not compiled, the batch does not fit it, its loss or its metrics, or the
    /// device fails.
    pub fn train_step(&mut self, batch: &Data, device: &Device) -> Result<()> {
        self.in_training(|model, state| state.run(model, batch, true, device))
    }

    /// What updates the weights by batches like this one: its regions, their arithmetic and memory.
    ///
    /// # Errors
    /// If the model is not compiled, or does not take such a batch.
    pub fn train_plan(&mut self, batch: &Data, device: &Device) -> Result<Arc<Compiled>> {
        self.in_training(|model, state| Ok(state.plan(model, batch, true, device)?.0))
    }

    /// Updates the metrics by one batch.
    ///
    /// # Errors
    /// As [`train_step`](Model::train_step).
    pub fn test_step(&mut self, batch: &Data, device: &Device) -> Result<()> {
        self.in_training(|model, state| state.run(model, batch, false, device))
    }

    /// Reads the metrics since they were last reset, the loss first.
    ///
    /// # Errors
    /// If the model is not compiled, or the device fails.
    pub fn metrics_results(&mut self, device: &Device) -> Result<Logs> {
        self.in_training(|_, state| state.results(device))
    }

    /// Forgets the metrics of earlier batches.
    ///
    /// # Errors
    /// If the model is not compiled.
    pub fn reset_metrics(&mut self) -> Result<()> {
        self.in_training(|_, state| state.reset())
    }

    /// Where the metric of a name, such as `accuracy`, goes when the model gets better: known once a
    /// step has been traced, and not for every metric.
    pub fn metric_direction(&self, name: &str) -> Option<Direction> {
        self.training.as_ref()?.direction(name)
    }

    /// Does what the optimizer does once at the end of training, such as replacing the weights by
    /// their averages.
    pub(super) fn finalize_optimizer(&mut self, device: &Device) -> Result<()> {
        self.in_training(|_, state| state.finalize(device))
    }
}
