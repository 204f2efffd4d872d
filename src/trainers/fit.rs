//! Epochs of training and evaluation.

use crate::base::{Error, Result};
use crate::models::Model;
use crate::runtime::Device;
use crate::trainers::callback::{Callback, Logs};
use crate::trainers::data::shuffled;
use crate::trainers::{Compile, Data, Training};

/// How to train; the defaults are Keras's.
pub struct FitOptions<'a> {
    /// What computes; [`Device::default_device`] where nothing is said.
    pub device: Device,
    pub batch_size: usize,
    pub epochs: usize,
    /// The number of the first epoch, to go on after earlier ones.
    pub initial_epoch: usize,
    /// Batches in an epoch; all where nothing is said.
    pub steps_per_epoch: Option<usize>,
    /// Whether samples come in another order in every epoch.
    pub shuffle: bool,
    /// What the orders of the epochs follow from.
    pub seed: u64,
    /// The part of the samples, from the last on, that are for validation.
    pub validation_split: f64,
    pub validation_data: Option<Data>,
    /// Batches in a validation; all where nothing is said.
    pub validation_steps: Option<usize>,
    /// Rows of a batch of the validation; those of training where nothing is said.
    pub validation_batch_size: Option<usize>,
    /// Epochs from one validation to the next.
    pub validation_freq: usize,
    /// Steps after which metrics are read while an epoch runs; 0 for at its end only.
    pub log_every: usize,
    pub callbacks: Vec<&'a mut dyn Callback>,
}

impl<'a> FitOptions<'a> {
    /// The default options on a device.
    pub fn on(device: Device) -> FitOptions<'a> {
        FitOptions {
            device,
            batch_size: 32,
            epochs: 1,
            initial_epoch: 0,
            steps_per_epoch: None,
            shuffle: true,
            seed: 0,
            validation_split: 0.0,
            validation_data: None,
            validation_steps: None,
            validation_batch_size: None,
            validation_freq: 1,
            log_every: 0,
            callbacks: Vec::new(),
        }
    }
}

/// How to evaluate; the defaults are Keras's.
pub struct EvaluateOptions {
    pub device: Device,
    pub batch_size: usize,
    /// Batches; all where nothing is said.
    pub steps: Option<usize>,
}

impl EvaluateOptions {
    /// The default options on a device.
    pub fn on(device: Device) -> EvaluateOptions {
        EvaluateOptions { device, batch_size: 32, steps: None }
    }
}

/// What every epoch gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The numbers of the epochs.
    pub epoch: Vec<usize>,
    /// Names with a value for each epoch.
    pub history: Vec<(String, Vec<f64>)>,
}

impl History {
    /// The values of a name, such as `val_loss`.
    pub fn get(&self, name: &str) -> Option<&[f64]> {
        self.history.iter().find(|(n, _)| n == name).map(|(_, values)| values.as_slice())
    }

    fn push(&mut self, epoch: usize, logs: &Logs) {
        self.epoch.push(epoch);
        for (name, value) in logs {
            match self.history.iter_mut().find(|(n, _)| n == name) {
                Some((_, values)) => values.push(*value),
                None => self.history.push((name.clone(), vec![*value])),
            }
        }
    }
}

impl Model {
    /// Configures the model for training. State of an earlier optimizer is dropped.
    ///
    /// # Errors
    /// If the optimizer is none of Keras. Losses and metrics are looked at with the first batch,
    /// whose shapes they depend on.
    pub fn compile(&mut self, compile: Compile) -> Result<()> {
        let config = compile.config()?;
        let training = Training::new(self, compile)?;
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
    pub fn optimizer(&self) -> Option<&dyn crate::optimizers::Optimizer> {
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

    /// Updates the weights by one batch and returns the metrics since they were last reset.
    pub fn train_on_batch(&mut self, batch: &Data, device: &Device) -> Result<Logs> {
        self.step_on_batch(batch, true, device)
    }

    /// Computes the loss and the metrics of one batch, since they were last reset.
    pub fn test_on_batch(&mut self, batch: &Data, device: &Device) -> Result<Logs> {
        self.step_on_batch(batch, false, device)
    }

    fn step_on_batch(&mut self, batch: &Data, training: bool, device: &Device) -> Result<Logs> {
        self.in_training(|model, state| {
            state.run(model, batch, training, device)?;
            state.results(device)
        })
    }

    /// Forgets the metrics of earlier batches.
    pub fn reset_metrics(&mut self) -> Result<()> {
        self.in_training(|_, state| state.reset())
    }

    /// Trains for some epochs.
    ///
    /// # Errors
    /// If the model is not compiled, the data does not fit it, or an option cannot be used.
    pub fn fit(&mut self, data: &Data, options: &mut FitOptions<'_>) -> Result<History> {
        let (data, validation) = match &options.validation_data {
            Some(validation) => (data.clone(), Some(validation.clone())),
            None if options.validation_split > 0.0 => {
                let (data, validation) = data.split(options.validation_split)?;
                (data, Some(validation))
            }
            None => (data.clone(), None),
        };
        if options.batch_size == 0 || options.validation_freq == 0 {
            return Err(Error::Invalid("batch_size and validation_freq are at least 1".into()));
        }
        let mut history = History::default();
        let callbacks = std::mem::take(&mut options.callbacks);
        let mut callbacks = Callbacks(callbacks);
        callbacks.each(|c| c.on_train_begin(self))?;
        for epoch in options.initial_epoch..options.epochs {
            callbacks.each(|c| c.on_epoch_begin(self, epoch))?;
            let mut logs = self.train_epoch(&data, epoch, options, &mut callbacks)?;
            let due = (epoch + 1) % options.validation_freq == 0;
            if let Some(validation) = validation.as_ref().filter(|_| due) {
                let evaluate = EvaluateOptions {
                    device: options.device.clone(),
                    batch_size: options.validation_batch_size.unwrap_or(options.batch_size),
                    steps: options.validation_steps,
                };
                let found = self.evaluate(validation, &evaluate)?;
                logs.extend(found.into_iter().map(|(name, v)| (format!("val_{name}"), v)));
            }
            history.push(epoch, &logs);
            callbacks.each(|c| c.on_epoch_end(self, epoch, &logs))?;
            if callbacks.0.iter().any(|callback| callback.stops()) {
                break;
            }
        }
        self.in_training(|_, state| state.finalize(&options.device))?;
        callbacks.each(|c| c.on_train_end(self))?;
        options.callbacks = callbacks.0;
        Ok(history)
    }

    fn train_epoch(
        &mut self,
        data: &Data,
        epoch: usize,
        options: &FitOptions<'_>,
        callbacks: &mut Callbacks<'_>,
    ) -> Result<Logs> {
        let rows = data.rows()?;
        let order = match options.shuffle {
            true => shuffled(rows, options.seed, epoch),
            false => (0..rows).collect(),
        };
        let device = &options.device;
        self.reset_metrics()?;
        let steps = options.steps_per_epoch.unwrap_or(usize::MAX);
        for (i, rows) in order.chunks(options.batch_size).enumerate().take(steps) {
            let batch = data.pick(rows)?;
            self.in_training(|model, state| state.run(model, &batch, true, device))?;
            let due = options.log_every > 0 && (i + 1) % options.log_every == 0;
            let logs = match due {
                true => Some(self.in_training(|_, state| state.results(device))?),
                false => None,
            };
            callbacks.each(|c| c.on_train_batch_end(self, i, logs.as_ref()))?;
        }
        self.in_training(|_, state| state.results(device))
    }

    /// Computes the loss and the metrics of all samples.
    ///
    /// # Errors
    /// If the model is not compiled, or the data does not fit it.
    pub fn evaluate(&mut self, data: &Data, options: &EvaluateOptions) -> Result<Logs> {
        let rows = data.rows()?;
        if options.batch_size == 0 {
            return Err(Error::Invalid("batch_size is 0, expected at least 1".into()));
        }
        self.reset_metrics()?;
        let order: Vec<usize> = (0..rows).collect();
        let steps = options.steps.unwrap_or(usize::MAX);
        for rows in order.chunks(options.batch_size).take(steps) {
            let batch = data.pick(rows)?;
            self.in_training(|model, state| state.run(model, &batch, false, &options.device))?;
        }
        self.in_training(|_, state| state.results(&options.device))
    }
}

/// All callbacks of a training.
struct Callbacks<'a>(Vec<&'a mut dyn Callback>);

impl Callbacks<'_> {
    fn each(&mut self, mut f: impl FnMut(&mut dyn Callback) -> Result<()>) -> Result<()> {
        self.0.iter_mut().try_for_each(|callback| f(*callback))
    }
}
