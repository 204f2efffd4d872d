//! Learning rates while a model is trained.

use crate::base::{Error, Result};
use crate::graph::Graph;
use crate::models::Model;
use crate::optimizers::{LearningRate, Optimizer, SharedOptimizer};
use crate::program::{Options, Program};
use crate::runtime::{Compiled, Device};
use crate::saving::json::{Json, float, from_float};
use crate::tensor::Variable;

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

    /// The config with the current learning rates, as Keras writes them into a file. A rate that has not
    /// changed is left as it was written.
    pub(crate) fn current_config(&self) -> Result<Json> {
        let mut config = self.config.clone();
        if let (Some(record), Some(optimizer)) =
            (config.pointer_mut("/compile_config/optimizer"), self.optimizer())
        {
            write_rates(record, optimizer)?;
        }
        Ok(config)
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

/// Writes an optimizer's rate into its record, and those of its parts into theirs.
fn write_rates(record: &mut Json, optimizer: &dyn Optimizer) -> Result<()> {
    let parts = optimizer.parts();
    let config = match record.get("class_name").and_then(Json::as_str) {
        // A model of mixed precision wraps its optimizer without saying so in its config.
        Some(name) if name != optimizer.class_name() => {
            return parts.iter().try_for_each(|part| write_rates(record, part.as_ref()));
        }
        _ => record.get_mut("config"),
    };
    let Some(config) = config else { return Ok(()) };
    if let Some(LearningRate::Variable(rate)) =
        optimizer.learning_rate().filter(|_| parts.is_empty())
    {
        return write_rate(config, rate);
    }
    let mut records = part_records(config).into_iter().zip(&parts);
    records.try_for_each(|(record, part)| write_rates(record, part.as_ref()))
}

/// The records of an optimizer's parts, in the parts' order.
fn part_records(config: &mut Json) -> Vec<&mut Json> {
    if config.get("inner_optimizer").is_some() {
        return config.get_mut("inner_optimizer").into_iter().collect();
    }
    let map = config.pointer_mut("/optimizer_map/config").and_then(Json::as_object_mut);
    let (mut default, mut records) = (None, Vec::new());
    for (key, value) in map.into_iter().flatten() {
        match key.as_str() {
            "default_optimizer" => default = Some(value),
            _ => records.extend(value.as_object_mut().into_iter().flatten().map(|(_, r)| r)),
        }
    }
    records.into_iter().chain(default).collect()
}

fn write_rate(config: &mut Json, rate: &Variable) -> Result<()> {
    let value = rate.value()?.iter_f64().next().unwrap_or(0.0);
    let written = config.get("learning_rate").and_then(float);
    if written.is_some_and(|written| written as f32 != value as f32) {
        config["learning_rate"] = from_float(value);
    }
    Ok(())
}
