//! An optimizer made of a rule and the settings that all share.

use crate::base::Result;
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::config::Config;
use crate::optimizers::Optimizer;
use crate::optimizers::rule::{Rule, Slot, Start, Update};
use crate::optimizers::settings::{LearningRate, Settings, copy_of};
use crate::optimizers::step::Step;
use crate::optimizers::weight::Weight;
use crate::tensor::Variable;

/// A rule with its settings and state.
pub struct Ruled {
    settings: Settings,
    rule: Box<dyn Rule>,
    weights: Vec<Weight>,
    /// One for each weight that is not overwritten.
    averages: Vec<Option<Variable>>,
    /// One for each weight, where gradients are added up.
    accumulators: Vec<Variable>,
    /// The slots of each weight, group after group.
    slots: Vec<Vec<Variable>>,
    /// All of the rule's variables in Keras's order.
    rule_variables: Vec<Variable>,
    extra: Option<Variable>,
}

impl Ruled {
    /// An optimizer of this rule with the settings of its config.
    pub fn new(
        class_name: &'static str,
        rule: impl Rule + 'static,
        config: &Config,
    ) -> Result<Ruled> {
        Ok(Ruled {
            settings: Settings::from_config(class_name, config)?,
            rule: Box::new(rule),
            weights: Vec::new(),
            averages: Vec::new(),
            accumulators: Vec::new(),
            slots: Vec::new(),
            rule_variables: Vec::new(),
            extra: None,
        })
    }

    fn build_slots(&mut self) -> Result<()> {
        let of: Vec<Vec<Vec<Slot>>> = self.weights.iter().map(|w| self.slots_of(w)).collect();
        self.slots = vec![Vec::new(); self.weights.len()];
        for group in 0..of.iter().map(Vec::len).max().unwrap_or(0) {
            for (i, weight) in self.weights.iter().enumerate() {
                for slot in of[i].get(group).into_iter().flatten() {
                    let variable = slot_variable(weight, slot)?;
                    self.slots[i].push(variable.clone());
                    self.rule_variables.push(variable);
                }
            }
        }
        if let Some(slot) = self.rule.extra(&self.weights) {
            let variable = start(slot.name, &slot, None)?;
            self.extra = Some(variable.clone());
            self.rule_variables.push(variable);
        }
        Ok(())
    }

    fn slots_of(&self, weight: &Weight) -> Vec<Vec<Slot>> {
        if weight.overwritten { Vec::new() } else { self.rule.slots(weight) }
    }

    /// Steps that have led to an update before this one, an integer scalar.
    fn iterations<'g>(&self, step: &Step<'g>) -> Value<'g> {
        let iteration = step.read(&self.settings.iteration);
        match self.settings.accumulation_steps {
            1 => iteration,
            n => iteration.binary("floor_div", iteration.scalar_like(n as f64)),
        }
    }

    /// Whether `counter + 1` is a multiple of `every`.
    fn is_due<'g>(counter: Value<'g>, every: usize) -> Value<'g> {
        let next = counter + counter.scalar_like(1.0);
        let rest = next.binary("mod", next.scalar_like(every as f64));
        rest.binary("eq", rest.scalar_like(0.0))
    }

    /// Gives weights that are overwritten their gradients; the others' pairs come back.
    fn overwrite<'g>(
        &self,
        step: &Step<'g>,
        gradients: &[Option<Value<'g>>],
    ) -> Vec<(usize, Value<'g>)> {
        let mut rest = Vec::new();
        for (i, (weight, gradient)) in self.weights.iter().zip(gradients).enumerate() {
            let Some(gradient) = *gradient else { continue };
            if !weight.overwritten {
                rest.push((i, gradient));
            } else if let Some(accumulator) = self.accumulators.get(i) {
                let sum = gradient.maximum(step.read(accumulator));
                let due = self.update_is_due(step);
                step.only_if(due).assign(&weight.variable, sum);
                step.assign(accumulator, due.select(sum.like(0.0), sum));
            } else {
                step.assign(&weight.variable, gradient);
            }
        }
        rest
    }

    fn update_is_due<'g>(&self, step: &Step<'g>) -> Value<'g> {
        Self::is_due(step.read(&self.settings.iteration), self.settings.accumulation_steps)
    }

    /// Adds gradients up; the step that updates gets their mean.
    fn accumulate<'g>(
        &self,
        step: &Step<'g>,
        pairs: Vec<(usize, Value<'g>)>,
    ) -> (Step<'g>, Vec<(usize, Value<'g>)>) {
        if self.accumulators.is_empty() {
            return (*step, pairs);
        }
        let due = self.update_is_due(step);
        let steps = self.settings.accumulation_steps as f64;
        let mean = |(i, gradient): (usize, Value<'g>)| {
            let accumulator = &self.accumulators[i];
            let sum = gradient + step.read(accumulator);
            step.assign(accumulator, due.select(sum.like(0.0), sum));
            (i, sum / steps)
        };
        let pairs = pairs.into_iter().map(mean).collect();
        (step.only_if(due), pairs)
    }

    fn decay<'g>(&self, step: &Step<'g>, weight: &Weight, rate: Value<'g>) {
        let decay = self.rule.weight_decay(self.settings.weight_decay, weight);
        if let Some(decay) = decay.filter(|_| weight.decays) {
            let value = step.read(&weight.variable);
            step.assign(&weight.variable, value - value * decay * rate.cast(value.dtype()));
        }
    }

    /// Clips, decays and updates.
    fn update<'g>(&self, step: &Step<'g>, pairs: Vec<(usize, Value<'g>)>) -> Result<()> {
        let (indices, gradients): (Vec<usize>, Vec<Value<'g>>) = pairs.into_iter().unzip();
        let gradients = match self.settings.clipping {
            Some(clipping) => clipping.apply(step.graph(), gradients),
            None => gradients,
        };
        let rate = self.settings.learning_rate.value(step, &self.settings.iteration);
        for &i in &indices {
            self.decay(step, &self.weights[i], rate);
        }
        let iterations = self.iterations(step);
        let of = |i: usize| Update {
            step: *step,
            weight: &self.weights[i],
            slots: &self.slots[i],
            extra: self.extra.as_ref(),
            rate,
            scheduled: matches!(self.settings.learning_rate, LearningRate::Schedule(_)),
            iterations,
        };
        if let Some(&first) = indices.first() {
            self.rule.begin(&of(first));
        }
        for (i, gradient) in indices.into_iter().zip(gradients) {
            let update = of(i);
            let value = self.rule.update(&update, gradient.cast(update.dtype()))?;
            step.assign(&update.weight.variable, value);
        }
        Ok(())
    }

    /// Moves the averages towards the weights, and now and then replaces the weights by them.
    fn average(&self, step: &Step<'_>) {
        let Some(momentum) = self.settings.ema_momentum else { return };
        let iterations = self.iterations(step);
        let later = iterations.binary("ne", iterations.scalar_like(0.0));
        let due = self.settings.ema_overwrite_frequency.map(|n| Self::is_due(iterations, n));
        for (weight, average) in self.weights.iter().zip(&self.averages) {
            let Some(average) = average else { continue };
            let value = step.read(&weight.variable);
            let momentum = later.cast(value.dtype()) * momentum;
            let rest = momentum.scalar_like(1.0) - momentum;
            let moved = step.assigned(average, momentum * step.read(average) + rest * value);
            if let Some(due) = due {
                step.only_if(due).assign(&weight.variable, moved);
            }
        }
    }
}

impl Optimizer for Ruled {
    fn class_name(&self) -> &'static str {
        self.settings.class_name
    }

    fn name(&self) -> &str {
        &self.settings.name
    }

    fn build(&mut self, weights: &[Weight]) -> Result<()> {
        self.weights = weights.to_vec();
        let slot = |weight: &Weight, name| slot_variable(weight, &Slot::zeros(name, weight));
        if self.settings.ema_momentum.is_some() {
            let average = |w: &Weight| (!w.overwritten).then(|| slot(w, "average")).transpose();
            self.averages = self.weights.iter().map(average).collect::<Result<_>>()?;
        }
        if self.settings.accumulation_steps > 1 {
            let accumulator = |weight| slot(weight, "gradient_accumulator");
            self.accumulators = self.weights.iter().map(accumulator).collect::<Result<_>>()?;
        }
        self.build_slots()
    }

    fn variables(&self) -> Vec<Variable> {
        let mut all = self.settings.head();
        all.extend(self.averages.iter().flatten().cloned());
        all.extend(self.accumulators.iter().cloned());
        all.extend(self.rule_variables.iter().cloned());
        all
    }

    fn apply<'g>(&self, step: &Step<'g>, gradients: &[Option<Value<'g>>]) -> Result<()> {
        if gradients.is_empty() {
            return Ok(());
        }
        let mut pairs = self.overwrite(step, gradients);
        if !pairs.is_empty() {
            if let Some(factor) = self.settings.loss_scale_factor {
                pairs.iter_mut().for_each(|(_, gradient)| *gradient = *gradient / factor);
            }
            let touched: Vec<usize> = pairs.iter().map(|(i, _)| *i).collect();
            let (guarded, pairs) = self.accumulate(step, pairs);
            self.update(&guarded, pairs)?;
            self.average(step);
            touched.into_iter().try_for_each(|i| self.weights[i].constrain(step))?;
        }
        let iteration = step.read(&self.settings.iteration);
        step.assign(&self.settings.iteration, iteration + iteration.scalar_like(1.0));
        Ok(())
    }

    fn scale_loss<'g>(&self, loss: Value<'g>) -> Value<'g> {
        self.settings.loss_scale_factor.map_or(loss, |factor| loss * factor)
    }

    fn finalize(&self, step: &Step<'_>) -> Result<()> {
        for (weight, average) in self.weights.iter().zip(&self.averages) {
            if let Some(average) = average {
                step.assign(&weight.variable, step.read(average));
            }
        }
        Ok(())
    }

    fn averages(&self) -> Vec<(Variable, Variable)> {
        let pair = |(weight, average): (&Weight, &Option<Variable>)| {
            average.as_ref().map(|average| (weight.variable.clone(), average.clone()))
        };
        self.weights.iter().zip(&self.averages).filter_map(pair).collect()
    }

    fn learning_rate(&self) -> Option<&LearningRate> {
        Some(&self.settings.learning_rate)
    }

    fn set_loss_scale_factor(&mut self, factor: Option<f64>) {
        self.settings.loss_scale_factor = factor;
    }
}

/// The variable of a slot, named as in Keras: the weight's path with the slot's name behind it.
fn slot_variable(weight: &Weight, slot: &Slot) -> Result<Variable> {
    let name = format!("{}_{}", weight.path.replace('/', "_"), slot.name);
    start(&name, slot, Some(weight))
}

fn start(name: &str, slot: &Slot, weight: Option<&Weight>) -> Result<Variable> {
    let (shape, dtype) = (slot.spec.shape.clone(), slot.spec.dtype);
    Ok(match (slot.start, weight) {
        (Start::Weight, Some(weight)) => copy_of(name, &weight.variable),
        (Start::Weight, None) => {
            Variable::new(name, false, Initializer::ZEROS.source(shape, dtype)?)
        }
        (Start::Value(value), _) => {
            Variable::new(name, false, Initializer::Constant(value).source(shape, dtype)?)
        }
    })
}
