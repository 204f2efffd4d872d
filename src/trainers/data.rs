//! Inputs, labels and weights of samples, cut into batches.

use crate::base::{DType, Error, Result, Spec};
use crate::tensor::Tensor;

/// Inputs in the order of the model's inputs, labels and weights in that of its outputs.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// Inputs; the first axis of each counts the samples.
    pub x: Vec<Tensor>,
    /// Labels, in the order of the model's outputs.
    pub y: Vec<Tensor>,
    /// None, one for all outputs, or one for each.
    pub sample_weight: Vec<Tensor>,
}

impl Data {
    /// Inputs with their labels.
    pub fn new(x: &[Tensor], y: &[Tensor]) -> Data {
        Data { x: x.to_vec(), y: y.to_vec(), sample_weight: Vec::new() }
    }

    /// The same with weights of samples.
    #[must_use]
    pub fn with_sample_weight(mut self, weights: &[Tensor]) -> Data {
        self.sample_weight = weights.to_vec();
        self
    }

    /// The same with the weight of each sample by its class: pairs of a class and its weight; other
    /// classes weigh 1. The labels of the only output are classes, or one-hot.
    ///
    /// # Errors
    /// If there are weights already, or not one output.
    pub fn with_class_weight(mut self, weights: &[(i64, f64)]) -> Result<Data> {
        let ([y], true) = (self.y.as_slice(), self.sample_weight.is_empty()) else {
            return Err(Error::Invalid(
                "class_weight needs one output and no sample_weight".into(),
            ));
        };
        let classes = classes(y)?;
        let weight = |class: &i64| {
            weights.iter().find(|(c, _)| c == class).map_or(1.0, |(_, weight)| *weight) as f32
        };
        let all: Vec<f32> = classes.iter().map(weight).collect();
        self.sample_weight = vec![Tensor::new([all.len()], &all)?];
        Ok(self)
    }

    /// Number of samples, which all tensors share.
    ///
    /// # Errors
    /// [`Error::Shape`] if they do not.
    pub fn rows(&self) -> Result<usize> {
        let all = self.x.iter().chain(&self.y).chain(&self.sample_weight);
        let mut counts = all.map(|t| t.shape().first().copied().unwrap_or(1));
        let first = counts.next().unwrap_or(0);
        match counts.find(|n| *n != first) {
            None => Ok(first),
            Some(other) => Err(Error::shape(
                "training data",
                format!("tensors of {first} and of {other} rows"),
                "equal numbers of rows",
            )),
        }
    }

    /// The first samples, and the rest that `fraction` of all are.
    ///
    /// # Errors
    /// If either part would be empty.
    pub fn split(&self, fraction: f64) -> Result<(Data, Data)> {
        let rows = self.rows()?;
        let at = (rows as f64 * (1.0 - fraction)).floor() as usize;
        if !(0.0..1.0).contains(&fraction) || at == 0 || at >= rows {
            return Err(Error::Invalid(format!(
                "validation_split {fraction} of {rows} samples leaves nothing to one of both parts"
            )));
        }
        Ok((self.map(|t| t.rows(0, at))?, self.map(|t| t.rows(at, rows - at))?))
    }

    /// The samples at these places.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such sample.
    pub fn pick(&self, rows: &[usize]) -> Result<Data> {
        self.map(|tensor| pick(tensor, rows))
    }

    fn map(&self, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Data> {
        let all = |tensors: &[Tensor]| tensors.iter().map(&f).collect::<Result<Vec<_>>>();
        Ok(Data { x: all(&self.x)?, y: all(&self.y)?, sample_weight: all(&self.sample_weight)? })
    }

    /// Labels and weights in dtypes of 32 bits and less, as JAX has them.
    pub(crate) fn narrowed(&self) -> Data {
        let narrow = |tensor: &Tensor| match tensor.dtype() {
            DType::Float64 => tensor.cast(DType::Float32),
            DType::Int64 => tensor.cast(DType::Int32),
            DType::UInt64 => tensor.cast(DType::UInt32),
            _ => tensor.clone(),
        };
        Data {
            x: self.x.clone(),
            y: self.y.iter().map(narrow).collect(),
            sample_weight: self.sample_weight.iter().map(narrow).collect(),
        }
    }
}

fn pick(tensor: &Tensor, rows: &[usize]) -> Result<Tensor> {
    let shape = tensor.shape();
    if shape.rank() == 0 {
        return Ok(tensor.clone());
    }
    let total = shape[0];
    let row = tensor.bytes().len() / total.max(1);
    let mut bytes = Vec::with_capacity(row * rows.len());
    for &i in rows {
        let piece = tensor.bytes().get(i * row..(i + 1) * row);
        let missing = || Error::shape("batch", format!("row {i}"), format!("{total} rows"));
        bytes.extend_from_slice(piece.ok_or_else(missing)?);
    }
    Tensor::from_bytes(Spec::new(shape.with(0, rows.len()), tensor.dtype()), bytes)
}

/// The class of each sample: the only number in its row, or where the largest of them is.
fn classes(y: &Tensor) -> Result<Vec<i64>> {
    let shape = y.shape();
    let width = match shape.rank() {
        1 => 1,
        2 => shape[1],
        _ => {
            let found = shape.to_string();
            return Err(Error::shape("class_weight", found, "labels of one class for each sample"));
        }
    };
    let values: Vec<f64> = y.iter_f64().collect();
    let largest = |row: &[f64]| {
        let best = |a: (usize, f64), b: (usize, f64)| if b.1 > a.1 { b } else { a };
        row.iter().copied().enumerate().reduce(best).map_or(0, |(i, _)| i as i64)
    };
    let class = |row: &[f64]| match row {
        [one] => one.round_ties_even() as i64,
        _ => largest(row),
    };
    Ok(values.chunks(width.max(1)).map(class).collect())
}
