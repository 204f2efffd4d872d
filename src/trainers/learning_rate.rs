//! Learning rates while a model is trained.

use crate::base::{Error, Result};
use crate::graph::Graph;
use crate::models::Model;
use crate::optimizers::{LearningRate, Optimizer, SharedOptimizer};
use crate::program::{Options, Program};
use crate::runtime::{Compiled, Device};

impl Model {
    /// The learning rate of the next step; of a schedule, what it gives for the iteration. Optimizers
    /// of several parts have one for each, under the parts' names; all others have one without a name.
    ///
    /// # Errors
    /// If the model has no optimizer.
    pub fn learning_rates(&self) -> Result<Vec<(Option<String>, f64)>> {
        let optimizer = self.some_optimizer()?;
        if optimizer.learning_rate().is_some() {
            return Ok(vec![(None, current(optimizer)?)]);
        }
        let named =
            |part: &SharedOptimizer| Ok((Some(part.name().to_owned()), current(part.as_ref())?));
        optimizer.parts().iter().map(named).collect()
    }

    /// Replaces learning rates: `f` is given each one and says what it becomes, or `None` to keep it.
    ///
    /// # Errors
    /// If the model has no optimizer, or a rate that follows a schedule is to be replaced.
    pub fn set_learning_rates(&mut self, mut f: impl FnMut(f64) -> Option<f64>) -> Result<()> {
        let mut replace = |optimizer: &dyn Optimizer| match f(current(optimizer)?) {
            Some(rate) => optimizer.set_learning_rate(rate),
            None => Ok(()),
        };
        let optimizer = self.some_optimizer()?;
        match optimizer.learning_rate() {
            Some(_) => replace(optimizer),
            None => optimizer.parts().iter().try_for_each(|part| replace(part.as_ref())),
        }
    }

    fn some_optimizer(&self) -> Result<&dyn Optimizer> {
        let missing = || Error::Invalid("the model was compiled without an optimizer".into());
        self.optimizer().ok_or_else(missing)
    }
}

/// The rate of an optimizer's next step.
fn current(optimizer: &dyn Optimizer) -> Result<f64> {
    let missing = || Error::Internal(format!("{} without a rate", optimizer.class_name()));
    let rate = optimizer.learning_rate().ok_or_else(missing)?;
    let value = match rate {
        LearningRate::Variable(variable) => variable.value()?,
        LearningRate::Schedule(schedule) => {
            // The optimizer that counts is the innermost one.
            let counting = innermost(optimizer);
            let variables = counting.as_deref().unwrap_or(optimizer).variables();
            let iteration = variables.first().ok_or_else(missing)?.value()?;
            let graph = Graph::new();
            let rate = schedule.rate(graph.constant(iteration)).id();
            let program = Program::new(graph.finish()?, &[rate]);
            let compiled =
                Compiled::new(program, &Device::Host, &Options::default(), &mut |_, _| {})?;
            compiled.run(&[])?.remove(0)
        }
    };
    value.iter_f64().next().ok_or_else(missing)
}

fn innermost(optimizer: &dyn Optimizer) -> Option<SharedOptimizer> {
    let inner = optimizer.parts().into_iter().next()?;
    Some(innermost(inner.as_ref()).unwrap_or(inner))
}
