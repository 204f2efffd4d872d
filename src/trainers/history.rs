//! `keras.callbacks.History`: what every epoch gave.

use serde_json::{Map, json};

use crate::base::Result;
use crate::saving::json::Json;
use crate::trainers::{Callback, Logged, Logs, Run};

/// What every epoch gave. `fit` returns one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The numbers of the epochs.
    pub epoch: Vec<usize>,
    /// Names with a value for each epoch.
    pub history: Vec<(String, Vec<Logged>)>,
}

impl History {
    /// The numbers of a name, such as `val_loss`; `None` if there is no such name, or it gives arrays.
    pub fn get(&self, name: &str) -> Option<Vec<f64>> {
        let (_, values) = self.history.iter().find(|(n, _)| n == name)?;
        values.iter().map(Logged::number).collect()
    }

    /// `{"epoch": [..], "history": {name: [..]}}`.
    pub fn to_json(&self) -> Json {
        let list = |values: &[Logged]| values.iter().map(Logged::to_json).collect::<Json>();
        let names: Map<String, Json> =
            self.history.iter().map(|(name, values)| (name.clone(), list(values))).collect();
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
                Some((_, values)) => values.push(value.clone()),
                None => self.history.push((name.clone(), vec![value.clone()])),
            }
        }
        Ok(())
    }
}
