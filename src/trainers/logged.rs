//! What metrics give, as callbacks and histories see it.

use crate::saving::json::{Json, from_float};
use crate::tensor::Tensor;

/// Names and values of what an epoch or a batch gave.
pub type Logs = Vec<(String, Logged)>;

/// What a metric gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Logged {
    /// One number.
    Number(f64),
    /// Numbers in an array, such as the scores of classes.
    Array(Tensor),
}

impl Logged {
    /// A scalar's number, or an array.
    pub(crate) fn of(tensor: &Tensor) -> Logged {
        match tensor.shape().rank() {
            0 => Logged::Number(tensor.iter_f64().next().unwrap_or(f64::NAN)),
            _ => Logged::Array(tensor.clone()),
        }
    }

    /// The number, where it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Logged::Number(number) => Some(*number),
            Logged::Array(_) => None,
        }
    }

    /// The number, or the mean of those in an array: what a progress bar shows.
    pub fn mean(&self) -> f64 {
        match self {
            Logged::Number(number) => *number,
            Logged::Array(tensor) => {
                tensor.iter_f64().sum::<f64>() / tensor.shape().len().max(1) as f64
            }
        }
    }

    /// A number, or lists of numbers.
    pub fn to_json(&self) -> Json {
        match self {
            Logged::Number(number) => from_float(*number),
            Logged::Array(tensor) => {
                let values: Vec<f64> = tensor.iter_f64().collect();
                lists(tensor.shape().as_slice(), &values)
            }
        }
    }
}

impl From<f64> for Logged {
    fn from(number: f64) -> Logged {
        Logged::Number(number)
    }
}

/// Values in the nested lists of a shape.
fn lists(shape: &[usize], values: &[f64]) -> Json {
    match shape {
        [] => values.first().map_or(Json::Null, |value| from_float(*value)),
        [_, rest @ ..] => {
            let width = rest.iter().product::<usize>().max(1);
            values.chunks(width).map(|part| lists(rest, part)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_become_lists() {
        let tensor = Tensor::new([2, 1], &[0.5f32, 1.0]).unwrap();
        let logged = Logged::of(&tensor);
        assert_eq!(logged.to_json().to_string(), "[[0.5],[1.0]]");
        assert_eq!((logged.mean(), logged.number()), (0.75, None));
        assert_eq!(Logged::of(&Tensor::scalar(2f32)), Logged::Number(2.0));
    }
}
