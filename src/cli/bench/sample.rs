//! Inputs of no meaning that any model takes.

use crate::base::{DType, Error, Result};
use crate::models::{InputSpec, Model};
use crate::tensor::Tensor;

/// One tensor for each input; `extent` is for axes that the model leaves open, other than the batch.
///
/// # Errors
/// If the input shape is not known, or an input is text.
pub fn inputs(model: &Model, batch: usize, extent: usize) -> Result<Vec<Tensor>> {
    let inputs = model.inputs();
    if inputs.is_empty() {
        return Err(Error::Unsupported("a model whose input shape is not known".into()));
    }
    inputs.iter().map(|input| filled(input, batch, extent)).collect()
}

/// One tensor for each output that training has labels for: classes where the loss is one of
/// classes, else what the outputs are.
pub fn labels(model: &Model, batch: usize, extent: usize) -> Result<Vec<Tensor>> {
    let loss = model.config()["compile_config"]["loss"].to_string();
    let mut labels = model.outputs();
    if loss.to_lowercase().contains("sparse") {
        for label in &mut labels {
            label.shape.0.pop();
            label.dtype = DType::Int32;
        }
    }
    labels.iter().map(|label| filled(label, batch, extent)).collect()
}

/// Floats from 0 on and below 1; integers that are 0 or 1, which any vocabulary has.
fn filled(input: &InputSpec, batch: usize, extent: usize) -> Result<Tensor> {
    let mut shape = input.shape.clone();
    if let Some(rows) = shape.0.first_mut() {
        *rows = Some(batch);
    }
    let shape = shape.filled(extent);
    if input.dtype == DType::String {
        return Err(Error::Unsupported(format!(
            "sample data for '{}', an input of text: measure what stands behind it",
            input.name
        )));
    }
    let elements = 0..shape.checked_len()?;
    if input.dtype.is_float() {
        let numbers: Vec<f32> = elements.map(|i| (i % 255) as f32 / 255.0).collect();
        return Ok(Tensor::new(shape, &numbers)?.cast(input.dtype));
    }
    let numbers: Vec<i32> = elements.map(|i| (i % 2) as i32).collect();
    Ok(Tensor::new(shape, &numbers)?.cast(input.dtype))
}
