//! What `compile` is given.

use serde_json::{Map, json};

use crate::base::error::quote;
use crate::base::{Error, Pattern, Result};
use crate::layers::config::Json;
use crate::optimizers::registry;

/// Arguments of Keras's `compile`, as a model file holds them.
///
/// ```no_run
/// # fn main() -> keraunos::Result<()> {
/// use keraunos::optimizers::Adam;
/// use keraunos::trainers::Compile;
/// # let mut model = keraunos::load_model("model.keras")?;
/// model.compile(Compile::new(Adam::new().learning_rate(0.01)).loss("mse").metrics(vec!["mae"]))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Compile {
    /// What a file holds.
    config: Map<String, Json>,
    /// Names of weights that do not decay; a file does not hold them.
    no_decay: Vec<String>,
}

impl Compile {
    /// An optimizer by its name, such as `"adam"`, or from a builder; nothing else is set.
    pub fn new(optimizer: impl Into<Json>) -> Compile {
        let config = json!({
            "optimizer": optimizer.into(),
            "loss": null,
            "loss_weights": null,
            "metrics": null,
            "weighted_metrics": null,
            "run_eagerly": false,
            "steps_per_execution": 1,
            "jit_compile": "auto",
        });
        let config = if let Json::Object(config) = config { config } else { Map::new() };
        Compile { config, no_decay: Vec::new() }
    }

    /// The arguments that a `compile_config` holds; nothing for a model that was not compiled.
    pub(crate) fn from_config(config: &Json) -> Option<Compile> {
        let config = config.as_object().filter(|config| !config.is_empty())?;
        Some(Compile { config: config.clone(), no_decay: Vec::new() })
    }

    fn set(mut self, key: &str, value: impl Into<Json>) -> Compile {
        self.config.insert(key.into(), value.into());
        self
    }

    /// A loss for all outputs, a list with one for each, or a mapping by the outputs' names.
    #[must_use]
    pub fn loss(self, loss: impl Into<Json>) -> Compile {
        self.set("loss", loss)
    }

    /// By what the losses of the outputs are multiplied: a list, or a mapping by name.
    #[must_use]
    pub fn loss_weights(self, weights: impl Into<Json>) -> Compile {
        self.set("loss_weights", weights)
    }

    /// Metrics that do not look at the weights of samples.
    #[must_use]
    pub fn metrics(self, metrics: impl Into<Json>) -> Compile {
        self.set("metrics", metrics)
    }

    /// Metrics in which samples count by their weights.
    #[must_use]
    pub fn weighted_metrics(self, metrics: impl Into<Json>) -> Compile {
        self.set("weighted_metrics", metrics)
    }

    /// Batches between one call of callbacks and the next, also of evaluations and predictions. As in
    /// Keras, an epoch of given steps ends with a whole execution.
    #[must_use]
    pub fn steps_per_execution(self, steps: usize) -> Compile {
        self.set("steps_per_execution", steps)
    }

    /// Whether Keras runs the model without compiling it. Nothing here, where every step is a plan.
    #[must_use]
    pub fn run_eagerly(self, eagerly: bool) -> Compile {
        self.set("run_eagerly", eagerly)
    }

    /// Whether Keras compiles the model with XLA; `"auto"`, where it can, when nothing is said. Nothing
    /// here, as for `run_eagerly`.
    #[must_use]
    pub fn jit_compile(self, jit: bool) -> Compile {
        self.set("jit_compile", jit)
    }

    /// The argument `steps_per_execution`.
    pub(crate) fn execution(&self) -> Result<usize> {
        let given = self.get("steps_per_execution");
        match given.as_u64().and_then(|steps| usize::try_from(steps).ok()) {
            Some(steps) if steps > 0 => Ok(steps),
            None if given.is_null() => Ok(1),
            _ => {
                let found = crate::base::error::quote(&given.to_string());
                Err(Error::Invalid(format!(
                    "steps_per_execution {found}: expected a whole number from 1 on"
                )))
            }
        }
    }

    /// Weights that the optimizer's weight decay leaves alone: those in whose own name, such as
    /// `kernel` or `bias`, one of these expressions is found. Keras's
    /// `optimizer.exclude_from_weight_decay(var_names=..)`; as there, a saved model does not tell of it.
    #[must_use]
    pub fn exclude_from_weight_decay<S: Into<String>>(
        mut self,
        var_names: impl IntoIterator<Item = S>,
    ) -> Compile {
        self.no_decay = var_names.into_iter().map(Into::into).collect();
        self
    }

    /// Whether weight decay reaches a weight of a name.
    pub(crate) fn weight_decay(&self) -> Result<impl Fn(&str) -> bool + use<>> {
        let patterns: Vec<Pattern> =
            self.no_decay.iter().map(|text| Pattern::new(text)).collect::<Result<_>>()?;
        Ok(move |name: &str| !patterns.iter().any(|pattern| pattern.is_in(name)))
    }

    /// Whether the loss of a model of the policy `mixed_float16` is scaled; true when nothing is said.
    #[must_use]
    pub fn auto_scale_loss(self, scale: bool) -> Compile {
        self.set("auto_scale_loss", scale)
    }

    /// The argument `auto_scale_loss`.
    pub(crate) fn scales_loss(&self) -> Result<bool> {
        match self.get("auto_scale_loss") {
            Json::Null => Ok(true),
            Json::Bool(scale) => Ok(*scale),
            other => {
                let found = quote(&other.to_string());
                Err(Error::Invalid(format!("auto_scale_loss {found}: expected true or false")))
            }
        }
    }

    /// An argument; null when it is not given.
    pub(crate) fn get(&self, key: &str) -> &Json {
        self.config.get(key).unwrap_or(&Json::Null)
    }

    /// The `compile_config` that Keras would write.
    ///
    /// # Errors
    /// If the optimizer is none of Keras.
    pub(crate) fn config(&self) -> Result<Json> {
        let mut config = self.config.clone();
        if !self.get("optimizer").is_null() {
            config.insert("optimizer".into(), registry::record_of(self.get("optimizer"))?);
        }
        Ok(Json::Object(config))
    }

    /// Refuses arguments that would change what is computed and that this version does not know.
    pub(crate) fn check(&self) -> Result<()> {
        const KNOWN: &[&str] = &[
            "optimizer",
            "loss",
            "loss_weights",
            "metrics",
            "weighted_metrics",
            "run_eagerly",
            "steps_per_execution",
            "jit_compile",
            "auto_scale_loss",
        ];
        match self.config.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            None => self.check_structures(),
            Some(key) => Err(Error::Invalid(format!("compile has no argument '{}'", quote(key)))),
        }
    }

    /// Refuses single values where Keras wants them in a list or by name. What is empty or zero counts as
    /// nothing there.
    fn check_structures(&self) -> Result<()> {
        for key in ["metrics", "weighted_metrics"] {
            let value = self.get(key);
            if is_something(value) && !is_container(value) {
                return Err(misplaced(key, value, "a list or an object by output"));
            }
        }
        let weights = self.get("loss_weights");
        let is_used = !self.get("loss").is_null() && is_something(weights);
        if is_used && !is_container(weights) && !weights.is_f64() {
            return Err(misplaced(
                "loss_weights",
                weights,
                "a float, a list or an object by output",
            ));
        }
        Ok(())
    }
}

/// Whether Python takes a value as true.
fn is_something(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Bool(value) => *value,
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::String(text) => !text.is_empty(),
        Json::Array(items) => !items.is_empty(),
        Json::Object(fields) => !fields.is_empty(),
    }
}

/// Whether a value is a list or a mapping, and not the record of one object.
fn is_container(value: &Json) -> bool {
    value.is_array() || value.as_object().is_some_and(|fields| !fields.contains_key("class_name"))
}

fn misplaced(key: &str, value: &Json, expected: &str) -> Error {
    let value = quote(&value.to_string());
    Error::Invalid(format!("compile's argument '{key}' is {value}, expected {expected}"))
}
