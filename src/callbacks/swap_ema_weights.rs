//! `keras.callbacks.SwapEMAWeights`.

use crate::base::{Error, Result};
use crate::callbacks::arguments::arguments;
use crate::optimizers::Optimizer;
use crate::tensor::Variable;
use crate::trainers::{Callback, Logs, Run};

/// Evaluates with the moving averages that an optimizer with `use_ema` keeps, instead of the weights.
#[derive(Clone, Copy, Debug, Default)]
pub struct SwapEMAWeights {
    swap_on_epoch: bool,
    averages_in_model: bool,
}

impl SwapEMAWeights {
    /// Swaps for evaluations only.
    pub fn new() -> SwapEMAWeights {
        SwapEMAWeights::default()
    }

    arguments! {
        /// Whether the averages are in the model also at the end of every epoch, so that other
        /// callbacks save them.
        swap_on_epoch: bool,
    }

    /// Puts the averages into the model, or the weights back.
    fn set(&mut self, run: &Run<'_>, averages: bool) -> Result<()> {
        if self.averages_in_model != averages {
            for (weight, average) in pairs(run)? {
                let value = weight.value()?;
                weight.assign(average.value()?)?;
                average.assign(value)?;
            }
            self.averages_in_model = averages;
        }
        Ok(())
    }
}

fn pairs(run: &Run<'_>) -> Result<Vec<(Variable, Variable)>> {
    let pairs = run.model.optimizer().map(Optimizer::averages).unwrap_or_default();
    match pairs.is_empty() {
        false => Ok(pairs),
        true => Err(Error::Invalid(
            "SwapEMAWeights needs an optimizer that keeps averages: set use_ema".into(),
        )),
    }
}

impl Callback for SwapEMAWeights {
    fn on_epoch_begin(&mut self, run: &mut Run<'_>, _: usize) -> Result<()> {
        if self.swap_on_epoch { self.set(run, false) } else { Ok(()) }
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_>, epoch: usize, _: &mut Logs) -> Result<()> {
        if !self.swap_on_epoch || self.averages_in_model {
            return Ok(());
        }
        self.set(run, true)?;
        if epoch + 1 == run.params.epochs {
            // The end of training puts the averages into the model: let it find them.
            for (weight, average) in pairs(run)? {
                average.assign(weight.value()?)?;
            }
        }
        Ok(())
    }

    fn on_test_begin(&mut self, run: &mut Run<'_>) -> Result<()> {
        self.set(run, true)
    }

    fn on_test_end(&mut self, run: &mut Run<'_>, _: &Logs) -> Result<()> {
        self.set(run, false)
    }
}
