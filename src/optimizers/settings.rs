//! What all optimizers share.

use std::sync::Arc;

use crate::base::{DType, Error, Result, Shape, Source, Spec};
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::config::{Config, Json};
use crate::optimizers::clipping::Clipping;
use crate::optimizers::schedules::{self, Schedule};
use crate::optimizers::step::Step;
use crate::tensor::{Tensor, Variable};

/// The learning rate: a variable that callbacks set, or a formula of the iteration.
pub enum LearningRate {
    /// A float32 scalar that callbacks may set.
    Variable(Variable),
    /// A formula of the iteration, which nobody sets.
    Schedule(Box<dyn Schedule>),
}

impl LearningRate {
    fn from_config(config: &Config) -> Result<LearningRate> {
        match config.get("learning_rate") {
            record @ Json::Object(_) => schedules::from_record(record).map(LearningRate::Schedule),
            _ => LearningRate::constant(config.float("learning_rate")?),
        }
    }

    /// A variable that starts with a number.
    ///
    /// # Errors
    /// If its variable cannot be made.
    pub fn constant(rate: f64) -> Result<LearningRate> {
        let initial = Initializer::Constant(rate).source(Shape::scalar(), DType::Float32)?;
        Ok(LearningRate::Variable(Variable::new("learning_rate", false, initial)))
    }

    /// The rate of a step, a float scalar.
    pub fn value<'g>(&self, step: &Step<'g>, iteration: &Variable) -> Value<'g> {
        match self {
            LearningRate::Variable(variable) => step.read(variable),
            LearningRate::Schedule(schedule) => schedule.rate(step.read(iteration)),
        }
    }

    /// Replaces the number.
    ///
    /// # Errors
    /// If the rate follows a schedule.
    pub fn set(&self, rate: f64) -> Result<()> {
        match self {
            LearningRate::Variable(variable) => variable.assign(Tensor::scalar(rate as f32)),
            LearningRate::Schedule(_) => Err(Error::Invalid(
                "the learning rate follows a schedule and cannot be set; compile with a number"
                    .into(),
            )),
        }
    }
}

/// The settings and the head of the state of an optimizer.
pub struct Settings {
    pub class_name: &'static str,
    pub name: String,
    pub iteration: Variable,
    pub learning_rate: LearningRate,
    pub weight_decay: Option<f64>,
    pub clipping: Option<Clipping>,
    /// Momentum of the average of the weights, where one is kept.
    pub ema_momentum: Option<f64>,
    /// After how many steps the weights are replaced by their average.
    pub ema_overwrite_frequency: Option<usize>,
    pub loss_scale_factor: Option<f64>,
    /// Steps whose gradients are added up for one update; 1 for an update every step.
    pub accumulation_steps: usize,
}

impl Settings {
    /// Reads the keys that every optimizer has.
    pub fn from_config(class_name: &'static str, config: &Config) -> Result<Settings> {
        let name = config.optional_str("name")?.map(str::to_owned);
        let ema_momentum = config.float("ema_momentum")?;
        let ema_overwrite_frequency = config.optional_size("ema_overwrite_frequency")?;
        let uses_ema = config.bool("use_ema")?;
        if uses_ema && !(0.0..=1.0).contains(&ema_momentum) {
            return Err(config.bad("ema_momentum", "a number from 0 to 1"));
        }
        let accumulation = config.optional_size("gradient_accumulation_steps")?;
        if accumulation == Some(1) {
            return Err(config.bad("gradient_accumulation_steps", "an integer from 2 on, or null"));
        }
        Ok(Settings {
            class_name,
            name: name.unwrap_or_else(|| crate::base::naming::snake_case(class_name)),
            iteration: counter("iteration")?,
            learning_rate: LearningRate::from_config(config)?,
            weight_decay: config.optional_float("weight_decay")?,
            clipping: Clipping::from_config(config)?,
            ema_momentum: uses_ema.then_some(ema_momentum),
            ema_overwrite_frequency,
            loss_scale_factor: config.optional_float("loss_scale_factor")?,
            accumulation_steps: accumulation.unwrap_or(1),
        })
    }

    /// The first variables of every optimizer.
    pub fn head(&self) -> Vec<Variable> {
        let mut head = vec![self.iteration.clone()];
        if let LearningRate::Variable(rate) = &self.learning_rate {
            head.push(rate.clone());
        }
        head
    }
}

/// An integer that starts with 0.
pub fn counter(name: &str) -> Result<Variable> {
    let zero = Initializer::ZEROS.source(Shape::scalar(), DType::Int32)?;
    Ok(Variable::new(name, false, zero))
}

/// A variable that starts with the value another has when it is first needed.
pub fn copy_of(name: &str, variable: &Variable) -> Variable {
    Variable::new(name, false, Arc::new(CopyOf(variable.clone())))
}

/// The value of a variable at the time of reading.
struct CopyOf(Variable);

impl Source for CopyOf {
    fn spec(&self) -> &Spec {
        self.0.spec()
    }

    fn read(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
        self.0.source().read(offset, buf)
    }

    fn check(&self) -> Result<()> {
        self.0.source().check()
    }
}
