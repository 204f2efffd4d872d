//! When a training is written to a file.

use crate::trainers::Run;

/// Keras's `save_freq`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SaveFreq {
    /// After every epoch.
    #[default]
    Epoch,
    /// After each so manieth batch, over epochs.
    Batches(usize),
}

/// Counts batches towards the next time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter(usize);

impl Counter {
    /// Counts the batches of an execution; whether it is time.
    pub fn is_due(&mut self, freq: SaveFreq, run: &Run<'_>) -> bool {
        let SaveFreq::Batches(every) = freq else { return false };
        self.0 += run.model.steps_per_execution();
        let due = self.0 >= every;
        if due {
            self.0 = 0;
        }
        due
    }
}
