//! `keras.callbacks.History`: what every epoch gave.

use serde_json::{Map, json};

use crate::base::Result;
use crate::saving::json::{Json, from_float};
use crate::trainers::callback::{Callback, Logs, Run};

/// What every epoch gave. `fit` returns one.
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

    /// `{"epoch": [..], "history": {name: [..]}}`.
    pub fn to_json(&self) -> Json {
        let numbers = |values: &[f64]| values.iter().map(|&v| from_float(v)).collect::<Json>();
        let names: Map<String, Json> =
            self.history.iter().map(|(name, values)| (name.clone(), numbers(values))).collect();
        json!({"epoch": self.epoch, "history": names})
    }
}

impl Callback for History {
    fn on_train_begin(&mut self, _: &mut Run<'_>) -> Result<()> {
        self.epoch.clear();
        Ok(())
    }

    fn on_epoch_end(&mut self, _: &mut Run<'_>, epoch: usize, logs: &mut Logs) -> Result<()> {
        self.epoch.push(epoch);
        for (name, value) in logs {
            match self.history.iter_mut().find(|(n, _)| n == name) {
                Some((_, values)) => values.push(*value),
                None => self.history.push((name.clone(), vec![*value])),
            }
        }
        Ok(())
    }
}
