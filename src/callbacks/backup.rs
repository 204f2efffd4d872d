//! The small file of a backup: where a training was, and which weights belong to it.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde_json::json;

use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::saving::json::{Json, float, from_float, parse, to_python};
use crate::saving::{Limits, Replace, atomic};
use crate::tensor::{Tensor, Variable};

pub const WEIGHTS_ENDING: &str = ".weights.h5";

/// Where a training was.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub epoch: usize,
    /// Batches of the epoch that are done.
    pub batch: usize,
    /// The file with the weights, in the same folder.
    pub weights: String,
    /// What the model remembers besides its weights: the numbers of each variable.
    pub memory: Vec<Vec<f64>>,
}

impl Place {
    /// Writes it in one step.
    pub fn write(&self, path: &Path) -> Result<()> {
        let numbers = |values: &Vec<f64>| values.iter().map(|&v| from_float(v)).collect::<Json>();
        let memory: Json = self.memory.iter().map(numbers).collect();
        let (epoch, batch, weights) = (self.epoch, self.batch, self.weights.as_str());
        let text = json!({"epoch": epoch, "batch": batch, "weights": weights, "memory": memory});
        atomic::write(path, to_python(&text).as_bytes(), Replace::default())
    }

    /// Reads it, where there is one.
    ///
    /// # Errors
    /// If there is something else.
    pub fn read(path: &Path) -> Result<Option<Place>> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(path, error)),
        };
        let found = parse(&text, "a backup's state", &Limits::default())?;
        let place = Place::from_json(&found).ok_or_else(|| {
            Error::Invalid(format!(
                "{}: no state of a training in {}",
                path.display(),
                quote(&found.to_string())
            ))
        })?;
        Ok(Some(place))
    }

    fn from_json(found: &Json) -> Option<Place> {
        let number = |key: &str| usize::try_from(found.get(key)?.as_u64()?).ok();
        let weights = found.get("weights")?.as_str()?;
        // The name of a file in the folder, and of none elsewhere.
        if !weights.ends_with(WEIGHTS_ENDING) || weights.contains(['/', '\\', ':']) {
            return None;
        }
        let floats = |list: &Json| list.as_array()?.iter().map(float).collect();
        let memory = found.get("memory")?.as_array()?.iter().map(floats).collect::<Option<_>>()?;
        let (epoch, batch) = (number("epoch")?, number("batch")?);
        Some(Place { epoch, batch, weights: weights.into(), memory })
    }
}

/// The numbers of variables; a double holds every one of them exactly.
pub fn numbers(variables: &[Variable]) -> Result<Vec<Vec<f64>>> {
    variables.iter().map(|variable| Ok(variable.value()?.iter_f64().collect())).collect()
}

/// Gives variables their numbers back.
///
/// # Errors
/// If they are not as many as there were.
pub fn remember(variables: &[Variable], numbers: &[Vec<f64>]) -> Result<()> {
    let lengths = |v: &Variable| v.spec().shape.len();
    if !variables.iter().map(lengths).eq(numbers.iter().map(Vec::len)) {
        return Err(Error::Invalid(
            "the backup is of another model: its random states do not fit this one".into(),
        ));
    }
    for (variable, numbers) in variables.iter().zip(numbers) {
        let value = Tensor::new(variable.spec().shape.clone(), numbers)?;
        variable.assign(value.cast(variable.spec().dtype))?;
    }
    Ok(())
}
