//! What tells one optimizer from another.

use crate::base::{DType, Result, Shape, Spec};
use crate::graph::Value;
use crate::optimizers::step::Step;
use crate::optimizers::weight::Weight;
use crate::tensor::Variable;

/// How a slot starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    Value(f64),
    /// With the weight's own value.
    Weight,
}

/// A variable that an optimizer keeps for a weight.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The ending of its name.
    pub name: &'static str,
    pub spec: Spec,
    pub start: Start,
}

impl Slot {
    /// A slot of zeros, in the weight's shape and dtype.
    pub fn zeros(name: &'static str, weight: &Weight) -> Slot {
        Slot::filled(name, weight, 0.0)
    }

    /// A slot with one value everywhere, in the weight's shape and dtype.
    pub fn filled(name: &'static str, weight: &Weight, value: f64) -> Slot {
        Slot { name, spec: weight.variable.spec().clone(), start: Start::Value(value) }
    }

    /// A slot of zeros of its own shape.
    pub fn shaped(name: &'static str, shape: impl Into<Shape>, dtype: DType) -> Slot {
        Slot { name, spec: Spec::new(shape, dtype), start: Start::Value(0.0) }
    }
}

/// The formula of an optimizer.
pub trait Rule: Send + Sync {
    /// The slots of a weight in groups. Keras makes the first group of every weight, then the second
    /// of every weight, and so on; every weight has as many groups.
    fn slots(&self, weight: &Weight) -> Vec<Vec<Slot>>;

    /// A variable that belongs to no weight and comes after all slots.
    fn extra(&self, _weights: &[Weight]) -> Option<Slot> {
        None
    }

    /// What happens once in a step, before the weights are updated.
    fn begin(&self, _update: &Update<'_, '_>) {}

    /// The next value of a weight. Gradient and weight have the same dtype.
    fn update<'g>(&self, update: &Update<'g, '_>, gradient: Value<'g>) -> Result<Value<'g>>;

    /// The decay of a weight, where the settings say `decay`.
    fn weight_decay(&self, decay: Option<f64>, _weight: &Weight) -> Option<f64> {
        decay
    }
}

/// One weight's part of a step.
#[derive(Clone, Copy)]
pub struct Update<'g, 'a> {
    pub step: Step<'g>,
    pub weight: &'a Weight,
    /// Its slots, group after group.
    pub slots: &'a [Variable],
    /// The variable that belongs to no weight.
    pub extra: Option<&'a Variable>,
    /// The learning rate, a float scalar.
    pub rate: Value<'g>,
    /// Whether the learning rate follows a schedule.
    pub scheduled: bool,
    /// Updates done before this one, an integer scalar.
    pub iterations: Value<'g>,
}

impl<'g> Update<'g, '_> {
    /// The dtype in which the weight is updated.
    pub fn dtype(&self) -> DType {
        self.weight.variable.spec().dtype
    }

    /// The weight's value.
    pub fn value(&self) -> Value<'g> {
        self.step.read(&self.weight.variable)
    }

    /// The value of a slot.
    ///
    /// # Errors
    /// If there is no such slot.
    pub fn slot(&self, index: usize) -> Result<Value<'g>> {
        self.variable(index).map(|variable| self.step.read(variable))
    }

    /// Gives a slot its next value and returns it.
    pub fn set_slot(&self, index: usize, value: Value<'g>) -> Result<Value<'g>> {
        self.variable(index).map(|variable| self.step.assigned(variable, value))
    }

    /// Moves a slot by a part of its distance to `target`, and returns it: slot + (target − slot) · part.
    pub fn move_slot(&self, index: usize, target: Value<'g>, part: f64) -> Result<Value<'g>> {
        let slot = self.slot(index)?;
        self.set_slot(index, slot + (target - slot) * part)
    }

    fn variable(&self, index: usize) -> Result<&Variable> {
        let missing = || crate::base::Error::Internal(format!("no slot {index} of a weight"));
        self.slots.get(index).ok_or_else(missing)
    }

    /// A scalar of the weight's dtype.
    pub fn scalar(&self, value: f64) -> Value<'g> {
        self.step.scalar(value, self.dtype())
    }

    /// The learning rate in the weight's dtype.
    pub fn rate(&self) -> Value<'g> {
        self.rate.cast(self.dtype())
    }

    /// The number of the update, from 1 on, in the weight's dtype.
    pub fn number(&self) -> Value<'g> {
        (self.iterations + self.iterations.scalar_like(1.0)).cast(self.dtype())
    }

    /// `base` to the power of the update's number.
    pub fn power(&self, base: f64) -> Value<'g> {
        self.scalar(base).binary("pow", self.number())
    }
}
