//! What the cells with matrices have in common: settings and the three weights.
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | 0 kernel | (input_dim, gates · units) | always |
//! | 1 recurrent_kernel | (units, gates · units) | always |
//! | 2 bias | (gates · units), for some cells with a row for each kernel | use_bias |

use super::forget_bias::forget_bias;
use crate::activations::Activation;
use crate::base::{Error, Result, Shape};
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::config::{Config, Json};
use crate::layers::settings::weight_settings;
use crate::layers::{CallArgs, Context, LayerBase, SymbolicSpec};
use crate::tensor::Variable;

/// Settings and weights of a cell.
pub(super) struct Weights {
    pub base: LayerBase,
    pub units: usize,
    pub activation: Activation,
    pub use_bias: bool,
    /// Whether Keras computes every gate by itself, and so adds the bias to the inputs' part first.
    pub split_gates: bool,
    dropout: Dropout,
    kernel_initializer: Initializer,
    recurrent_initializer: Initializer,
    bias_initializer: Initializer,
    kernel: Option<Variable>,
    recurrent_kernel: Option<Variable>,
    bias: Option<Variable>,
}

/// The shares of inputs and of states that training drops.
#[derive(Clone, Copy)]
pub(super) struct Dropout {
    inputs: f64,
    states: f64,
}

impl Dropout {
    /// Reads the keys; the rates are cut to 0…1, as Keras cuts them.
    pub fn from_config(config: &Config) -> Result<Dropout> {
        config.get("seed");
        let rate = |key| Ok::<f64, Error>(config.float(key)?.clamp(0.0, 1.0));
        Ok(Dropout { inputs: rate("dropout")?, states: rate("recurrent_dropout")? })
    }

    /// Refuses to drop anything, which only training does.
    pub fn check(self, cx: &Context<'_>) -> Result<()> {
        if cx.training() && (self.inputs > 0.0 || self.states > 0.0) {
            return Err(Error::Unsupported("training with dropout in a recurrent layer".into()));
        }
        Ok(())
    }
}

impl Weights {
    /// Reads the keys of a cell. `name` replaces that of the config, where the config is that of the
    /// layer around the cell.
    pub fn from_config(
        class_name: &'static str,
        name: Option<&str>,
        config: &Config,
    ) -> Result<Weights> {
        weight_settings(config, &["kernel", "recurrent", "bias"])?;
        let mut base = LayerBase::new(class_name, config)?;
        if let Some(name) = name {
            base.name = name.into();
        }
        let dropout = Dropout::from_config(config)?;
        let implementation = match config.get("implementation") {
            Json::Null => 2,
            _ => config.int("implementation")?,
        };
        Ok(Weights {
            base,
            units: config.size("units")?,
            activation: Activation::from_config(config, "activation")?,
            use_bias: config.bool("use_bias")?,
            split_gates: implementation == 1 || dropout.states > 0.0,
            dropout,
            kernel_initializer: Initializer::from_config(config, "kernel_initializer")?,
            recurrent_initializer: Initializer::from_config(config, "recurrent_initializer")?,
            bias_initializer: Initializer::from_config(config, "bias_initializer")?,
            kernel: None,
            recurrent_kernel: None,
            bias: None,
        })
    }

    /// Makes the weights for this many gates. `rows` is the bias's first extent, where it has two axes;
    /// with `unit_forget` the second of four gates has a bias of ones.
    pub fn build(
        &mut self,
        inputs: &CallArgs<SymbolicSpec>,
        gates: usize,
        rows: Option<usize>,
        unit_forget: bool,
    ) -> Result<()> {
        let dim = inputs.input_shape()?.known(-1)?;
        let all = self.units.saturating_mul(gates);
        let kernel = self.base.add_weight("kernel", [dim, all], &self.kernel_initializer)?;
        let initializer = &self.recurrent_initializer;
        let recurrent = self.base.add_weight("recurrent_kernel", [self.units, all], initializer)?;
        (self.kernel, self.recurrent_kernel) = (Some(kernel), Some(recurrent));
        if self.use_bias {
            let shape: Shape = rows.into_iter().chain([all]).collect();
            let dtype = self.base.policy.variable;
            let initial = match unit_forget {
                true => forget_bias(&self.bias_initializer, self.units, dtype)?,
                false => self.bias_initializer.source(shape, dtype)?,
            };
            self.bias = Some(self.base.add_weight_from("bias", initial)?);
        }
        Ok(())
    }

    /// inputs · kernel.
    pub fn inputs<'g>(&self, cx: &Context<'g>, x: Value<'g>) -> Result<Value<'g>> {
        self.dropout.check(cx)?;
        let kernel = cx.weight(&self.kernel, "kernel")?;
        Ok(x.cast(kernel.dtype()).dot(kernel))
    }

    pub fn recurrent_kernel<'g>(&self, cx: &Context<'g>) -> Result<Value<'g>> {
        cx.weight(&self.recurrent_kernel, "recurrent_kernel")
    }

    /// The bias, if the cell has one.
    pub fn bias<'g>(&self, cx: &Context<'g>) -> Option<Value<'g>> {
        self.bias.as_ref().map(|bias| cx.read(bias))
    }
}
