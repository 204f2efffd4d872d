//! `keras.callbacks.TerminateOnNaN`.

use crate::base::{Error, Result};
use crate::callbacks::arguments::arguments;
use crate::trainers::{Callback, Run};

/// Ends the training when the loss is not finite. The loss is read after every batch, so the device
/// is waited for every time.
#[derive(Clone, Copy, Debug, Default)]
pub struct TerminateOnNaN {
    raise_error: bool,
}

impl TerminateOnNaN {
    /// Ends the training without an error.
    pub fn new() -> TerminateOnNaN {
        TerminateOnNaN::default()
    }

    arguments! {
        /// Whether `fit` then fails, and no callback sees the training's end.
        raise_error: bool,
    }
}

impl Callback for TerminateOnNaN {
    fn on_train_batch_end(&mut self, run: &mut Run<'_>, batch: usize) -> Result<()> {
        let loss = run.batch_logs()?.iter().find(|(name, _)| name == "loss");
        let loss = loss.and_then(|(_, loss)| loss.number());
        let Some(loss) = loss.filter(|loss| !loss.is_finite()) else { return Ok(()) };
        if self.raise_error {
            return Err(Error::Invalid(format!("the loss is {loss} at batch {batch}")));
        }
        log::warn!("batch {batch}: the loss is {loss}, training ends");
        run.stop();
        Ok(())
    }
}
