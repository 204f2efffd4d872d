//! Samples in the forms in which Keras's `fit` takes them: tensors in the order of inputs and outputs,
//! by name, and in the structure of the model.

use crate::base::{Error, Result};
use crate::models::{Inputs, Model};
use crate::tensor::Tensor;
use crate::trainers::Data;

impl Model {
    /// Inputs and labels as [`Inputs`] for the model's inputs and outputs. Labels of outputs without a
    /// loss may be left out.
    ///
    /// # Errors
    /// If their structure is not that of the model's inputs or outputs.
    pub fn data(&self, x: impl Into<Inputs>, y: impl Into<Inputs>) -> Result<Data> {
        let labels = y.into().by_output(self, true)?.into_iter().flatten().collect();
        let inputs: Option<Vec<Tensor>> = x.into().ordered(self)?.into_iter().collect();
        let inputs = inputs.ok_or_else(|| {
            Error::Unsupported("training without one of the inputs that may be left out".into())
        })?;
        Ok(Data { x: inputs, y: labels, sample_weight: Vec::new() })
    }

    /// Samples with weights: one tensor for all outputs, or one for each as [`Inputs`] for the model's
    /// outputs. Where weights are left out, samples weigh 1.
    ///
    /// # Errors
    /// If their structure is not that of the model's outputs, or there are none.
    pub fn weighted(&self, data: Data, sample_weight: impl Into<Inputs>) -> Result<Data> {
        let few = data.y.len() < self.outputs().len();
        let given = sample_weight.into().by_output(self, few)?;
        let first = given.iter().flatten().next();
        let first =
            first.ok_or_else(|| Error::Invalid("there are no weights of samples".into()))?;
        let ones = Tensor::new([data.rows()?], &vec![1f32; data.rows()?])?;
        let weights = match given.len() {
            1 => vec![first.clone()],
            _ => given.iter().map(|one| one.clone().unwrap_or_else(|| ones.clone())).collect(),
        };
        Ok(Data { sample_weight: weights, ..data })
    }
}
