//! `keras.optimizers`: how a training step changes the weights.
//!
//! An optimizer writes its update into the graph of the training step, behind the gradients, so a
//! step is one program. All its state is in [`Variable`]s, in the order in which Keras stores them.
//!
//! | part | what | where |
//! | --- | --- | --- |
//! | rule | the formula that tells one optimizer from another, and its slots | one file each |
//! | settings | what all optimizers share: learning rate, clipping, decay, averages, accumulation | `settings`, `ruled` |
//! | wrappers | optimizers around optimizers | `loss_scale`, `multi` |

mod adadelta;
mod adafactor;
mod adagrad;
mod adam;
mod adamax;
mod builder;
mod clipping;
mod ftrl;
mod lamb;
mod lion;
mod loss_scale;
mod multi;
mod muon;
mod nadam;
pub mod registry;
mod rmsprop;
mod rule;
mod ruled;
mod saved;
mod schedule_free_adamw;
pub mod schedules;
mod settings;
mod sgd;
mod step;
mod weight;

use std::sync::Arc;

use crate::base::{Error, Result};
use crate::graph::Value;
use crate::saving::saveable::Child;
use crate::tensor::Variable;

pub use adadelta::Adadelta;
pub use adafactor::Adafactor;
pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use adamax::Adamax;
pub use builder::OptimizerBuilder;
pub use ftrl::Ftrl;
pub use lamb::Lamb;
pub use lion::Lion;
pub use loss_scale::LossScaleOptimizer;
pub use multi::{MultiOptimizer, OptimizerMap};
pub use muon::Muon;
pub use nadam::Nadam;
pub use rmsprop::RMSprop;
pub use saved::SavedOptimizer;
pub use schedule_free_adamw::ScheduleFreeAdamW;
pub use settings::LearningRate;
pub use sgd::SGD;
pub use step::Step;
pub use weight::Weight;

/// An optimizer and its state.
pub trait Optimizer: Send + Sync {
    /// The class in Keras's table.
    fn class_name(&self) -> &'static str;

    /// Its name, such as `adam`.
    fn name(&self) -> &str;

    /// Makes the state for these weights, in the model's order. Called once.
    ///
    /// # Errors
    /// If the state of a weight cannot be made, or several parts of the optimizer match it.
    fn build(&mut self, weights: &[Weight]) -> Result<()>;

    /// All state in the order in which Keras stores it; before [`build`](Optimizer::build), what does
    /// not depend on weights.
    fn variables(&self) -> Vec<Variable>;

    /// Writes the update of all weights by their gradients: those of the loss that
    /// [`scale_loss`](Optimizer::scale_loss) gave. A weight without a gradient stays as it is. Without
    /// weights there is no step: the iteration stays, too.
    ///
    /// # Errors
    /// If there are not as many gradients as weights, or the optimizer was not built; further
    /// errors come out when the trace ends.
    fn apply<'g>(&self, step: &Step<'g>, gradients: &[Option<Value<'g>>]) -> Result<()>;

    /// The loss whose gradients [`apply`](Optimizer::apply) expects.
    fn scale_loss<'g>(&self, loss: Value<'g>) -> Value<'g>;

    /// Writes what is to be done once when training ends, such as weights replaced by averages.
    ///
    /// # Errors
    /// If the optimizer was not built.
    fn finalize(&self, step: &Step<'_>) -> Result<()>;

    /// The learning rate. An optimizer of several has none.
    fn learning_rate(&self) -> Option<&LearningRate>;

    /// Replaces the learning rate.
    ///
    /// # Errors
    /// If it is a schedule, or there is none.
    fn set_learning_rate(&self, rate: f64) -> Result<()> {
        match self.learning_rate() {
            Some(current) => current.set(rate),
            None => Err(Error::Invalid(format!(
                "{} has no learning rate of its own: set those of its parts",
                self.class_name()
            ))),
        }
    }

    /// Tells the optimizer by what a loss scale of its own multiplies the loss; `None` for nothing.
    /// Wrappers call it, so that no gradient is scaled twice.
    fn set_loss_scale_factor(&mut self, factor: Option<f64>);

    /// The optimizers that this one hands the work to: none but in wrappers.
    fn parts(&self) -> Vec<SharedOptimizer> {
        Vec::new()
    }

    /// Weights with their moving averages, where such are kept (`use_ema`).
    fn averages(&self) -> Vec<(Variable, Variable)> {
        self.parts().iter().flat_map(|part| part.averages()).collect()
    }

    /// Optimizers within this one, under Keras's attribute names.
    fn children(&self) -> Vec<(&'static str, Child)> {
        Vec::new()
    }
}

/// An optimizer shared by a model and the walk that orders a file's weights.
pub type SharedOptimizer = Arc<dyn Optimizer>;
