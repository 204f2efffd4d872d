//! Arguments of `fit` and `evaluate`.

use crate::base::{Error, Result};
use crate::runtime::Device;
use crate::trainers::{Callback, Data};

/// How to train; the defaults are Keras's.
pub struct FitOptions<'a> {
    /// What computes.
    pub device: Device,
    /// Samples in a batch. Where nothing is said, 32, or with `steps_per_epoch` their share of all samples.
    pub batch_size: Option<usize>,
    /// The number of the last epoch plus 1.
    pub epochs: usize,
    /// The number of the first epoch, to go on after earlier ones.
    pub initial_epoch: usize,
    /// Batches in an epoch; all where nothing is said. The next epoch goes on where one ends.
    pub steps_per_epoch: Option<usize>,
    /// Whether samples come in another order each time.
    pub shuffle: bool,
    /// What the orders follow from.
    pub seed: u64,
    /// Weights of the samples to train on, by their class: pairs of a class and its weight; other
    /// classes weigh 1. Samples for validation are not weighted by them.
    pub class_weight: Vec<(i64, f64)>,
    /// The part of the samples, from the last on, that are for validation.
    pub validation_split: f64,
    /// Samples for validation; with them, `validation_split` has no effect.
    pub validation_data: Option<Data>,
    /// Batches in a validation; all where nothing is said.
    pub validation_steps: Option<usize>,
    /// Samples in a batch of the validation; where nothing is said, `batch_size`, or what
    /// `validation_steps` make of it.
    pub validation_batch_size: Option<usize>,
    /// The epochs that end with a validation.
    pub validation_freq: Frequency,
    /// What is called at each stage, in this order.
    pub callbacks: Vec<&'a mut (dyn Callback + 'a)>,
}

impl<'a> FitOptions<'a> {
    /// The default options on a device.
    pub fn on(device: Device) -> FitOptions<'a> {
        FitOptions {
            device,
            batch_size: None,
            epochs: 1,
            initial_epoch: 0,
            steps_per_epoch: None,
            shuffle: true,
            seed: 0,
            class_weight: Vec::new(),
            validation_split: 0.0,
            validation_data: None,
            validation_steps: None,
            validation_batch_size: None,
            validation_freq: Frequency::Every(1),
            callbacks: Vec::new(),
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        match self.validation_freq {
            Frequency::Every(0) => {
                Err(Error::Invalid("validation_freq is 0, expected at least 1".into()))
            }
            _ => Ok(()),
        }
    }

    /// The samples to train on, and those to validate with.
    pub(super) fn parts(&self, data: &Data) -> Result<(Data, Option<Data>)> {
        let (data, validation) = match &self.validation_data {
            Some(validation) => (data.clone(), Some(validation.clone())),
            None if self.validation_split != 0.0 => {
                let (data, validation) = data.split(self.validation_split)?;
                (data, Some(validation))
            }
            None => (data.clone(), None),
        };
        let data = match self.class_weight.as_slice() {
            [] => data,
            weights => data.with_class_weight(weights)?,
        };
        Ok((data, validation))
    }

    /// How a validation runs.
    pub(super) fn validation(&self) -> EvaluateOptions {
        EvaluateOptions {
            device: self.device.clone(),
            batch_size: self.validation_batch_size.or(self.batch_size),
            steps: self.validation_steps,
        }
    }
}

/// Which epochs: Keras's `validation_freq`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frequency {
    /// Each so manieth.
    Every(usize),
    /// These, counted from 1.
    At(Vec<usize>),
}

impl Frequency {
    /// Whether an epoch, counted from 0, is one of them.
    pub fn includes(&self, epoch: usize) -> bool {
        match self {
            Frequency::Every(n) => (epoch + 1).is_multiple_of(*n),
            Frequency::At(epochs) => epochs.contains(&(epoch + 1)),
        }
    }
}

/// How to evaluate; the defaults are Keras's.
#[derive(Debug)]
pub struct EvaluateOptions {
    /// What computes.
    pub device: Device,
    /// Samples in a batch. Where nothing is said, 32, or with `steps` their share of all samples.
    pub batch_size: Option<usize>,
    /// Batches; all where nothing is said.
    pub steps: Option<usize>,
}

impl EvaluateOptions {
    /// The default options on a device.
    pub fn on(device: Device) -> EvaluateOptions {
        EvaluateOptions { device, batch_size: None, steps: None }
    }
}
