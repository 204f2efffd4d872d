//! `keras.optimizers.schedules`: learning rates as formulas of the iteration. The formula is part of
//! a training step's program, so a new rate needs no new plan.

mod cosine_decay;
mod cosine_decay_restarts;
mod exponential_decay;
mod inverse_time_decay;
mod piecewise_constant_decay;
mod polynomial_decay;

use crate::base::{DType, Result};
use crate::graph::Value;
use crate::layers::config::{Config, Json};
use crate::optimizers::registry::{Record, unknown};

pub use cosine_decay::CosineDecay;
pub use cosine_decay_restarts::CosineDecayRestarts;
pub use exponential_decay::ExponentialDecay;
pub use inverse_time_decay::InverseTimeDecay;
pub use piecewise_constant_decay::PiecewiseConstantDecay;
pub use polynomial_decay::PolynomialDecay;

/// A learning rate that follows the iteration.
pub trait Schedule: Send + Sync {
    /// The rate, a float32 scalar, for an iteration: an integer or float scalar, from 0 on.
    fn rate<'g>(&self, iteration: Value<'g>) -> Value<'g>;
}

/// What the table says of a class.
pub struct ScheduleDef {
    /// The class in `keras.optimizers.schedules`.
    pub class_name: &'static str,
    /// The constructor's defaults.
    pub defaults: fn() -> Json,
    /// Reads the constructor's arguments from a config.
    pub new: fn(&Config) -> Result<Box<dyn Schedule>>,
}

macro_rules! schedules {
    ($($name:ident),* $(,)?) => {
        /// Every schedule of Keras.
        pub const SCHEDULES: &[ScheduleDef] = &[$(ScheduleDef {
            class_name: stringify!($name),
            defaults: $name::defaults,
            new: $name::from_config,
        }),*];
    };
}

schedules! {
    ExponentialDecay, PiecewiseConstantDecay, PolynomialDecay, InverseTimeDecay, CosineDecay,
    CosineDecayRestarts,
}

/// The schedule of a record.
///
/// # Errors
/// If Keras has no such schedule, or a key of its config is unknown or cannot be used.
pub fn from_record(record: &Json) -> Result<Box<dyn Schedule>> {
    let record = Record::parse("learning rate schedule", record)?;
    let def = SCHEDULES.iter().find(|def| def.class_name == record.class_name);
    let def = def.ok_or_else(|| {
        unknown("learning rate schedule", record.class_name, "keras.optimizers.schedules")
    })?;
    let config = Config::new(def.class_name.into(), record.config.clone(), (def.defaults)());
    let schedule = (def.new)(&config)?;
    // Names are for Keras's profiles.
    config.optional_str("name")?;
    config.finish()?;
    Ok(schedule)
}

/// A number of steps that must be positive.
fn steps(config: &Config, key: &str) -> Result<f64> {
    let steps = config.float(key)?;
    if steps > 0.0 { Ok(steps) } else { Err(config.bad(key, "a positive number")) }
}

/// The first rate. Keras computes in the type of this number, so an integer would give integers.
fn first_rate(config: &Config) -> Result<f64> {
    let key = "initial_learning_rate";
    match config.get(key) {
        Json::Number(number) if !number.is_f64() => {
            Err(config.bad(key, "a float: with an integer Keras computes in integers"))
        }
        _ => config.float(key),
    }
}

/// The iteration in the dtype of rates.
fn float(iteration: Value<'_>) -> Value<'_> {
    iteration.cast(DType::Float32)
}

/// Declares a schedule's builder and its constructor's defaults; names before the brace are required.
macro_rules! schedule {
    ($(#[$doc:meta])* $name:ident($($required:ident),*) { $($key:ident : $default:tt),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name($crate::optimizers::OptimizerBuilder);

        impl $name {
            /// A schedule with Keras's defaults for everything but the required arguments.
            pub fn new($($required: impl Into<$crate::layers::config::Json>),*) -> $name {
                let builder = $crate::optimizers::OptimizerBuilder::new(
                    "keras.optimizers.schedules",
                    stringify!($name),
                    $name::defaults(),
                );
                $(let builder = builder.set(stringify!($required), $required);)*
                $name(builder)
            }

            /// The constructor's defaults; required arguments are null.
            pub(crate) fn defaults() -> $crate::layers::config::Json {
                serde_json::json!({
                    $(stringify!($required): null,)*
                    $(stringify!($key): $default),*
                })
            }

            $(
                /// Keras's argument of this name.
                #[must_use]
                pub fn $key(self, value: impl Into<$crate::layers::config::Json>) -> $name {
                    $name(self.0.set(stringify!($key), value))
                }
            )*
        }

        impl From<$name> for $crate::layers::config::Json {
            fn from(schedule: $name) -> $crate::layers::config::Json {
                schedule.0.into()
            }
        }
    };
}
use schedule;
