//! What the cells with matrices have in common: settings and the three weights.
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | 0 kernel | (input_dim, gates · units) | always |
//! | 1 recurrent_kernel | (units, gates · units) | always |
//! | 2 bias | (gates · units), for some cells with a row for each kernel | use_bias |

use super::dropout::{Dropout, DropoutMasks, by_gates};
use super::forget_bias::forget_bias;
use crate::activations::Activation;
use crate::base::{Result, Shape};
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::config::{Config, Json};
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

impl Weights {
    /// Reads the keys of a cell. `name` replaces that of the config, where the config is that of the
    /// layer around the cell.
    pub fn from_config(
        class_name: &'static str,
        name: Option<&str>,
        config: &Config,
    ) -> Result<Weights> {
        let base = LayerBase::of_part(class_name, name, config)?;
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
            split_gates: implementation == 1 || dropout.drops_states(),
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

    /// What training drops; a cell that computes every gate by itself drops for each of them.
    pub fn gate_masks<'g>(
        &self,
        cx: &Context<'g>,
        input: &Shape,
        gates: usize,
    ) -> Result<DropoutMasks<'g>> {
        let count = if self.split_gates { gates } else { 1 };
        self.dropout.gate_masks(cx, input, &self.state(input), count)
    }

    /// What training drops in a cell without gates.
    pub fn masks<'g>(&self, cx: &Context<'g>, input: &Shape) -> Result<DropoutMasks<'g>> {
        self.dropout.masks(cx, input, &self.state(input), 1)
    }

    fn state(&self, input: &Shape) -> Shape {
        Shape::from([input.first().copied().unwrap_or(1), self.units])
    }

    /// inputs · kernel.
    pub fn inputs<'g>(
        &self,
        cx: &Context<'g>,
        x: Value<'g>,
        masks: &DropoutMasks<'g>,
    ) -> Result<Value<'g>> {
        let kernel = cx.weight(&self.kernel, "kernel")?;
        by_gates(x.cast(kernel.dtype()), &masks.inputs, |x, gate| {
            Ok(x.dot(self.columns(kernel, gate)))
        })
    }

    /// state · recurrent_kernel, of this many gates.
    pub fn states<'g>(
        &self,
        cx: &Context<'g>,
        h: Value<'g>,
        masks: &[Value<'g>],
        gates: usize,
    ) -> Result<Value<'g>> {
        let kernel = self.recurrent_kernel(cx)?.narrow(1, 0, gates * self.units);
        by_gates(h, &masks[..masks.len().min(gates)], |h, gate| {
            Ok(h.dot(self.columns(kernel, gate)))
        })
    }

    /// The columns of a kernel that belong to a gate.
    fn columns<'g>(&self, kernel: Value<'g>, gate: Option<usize>) -> Value<'g> {
        gate.map_or(kernel, |gate| kernel.narrow(1, gate * self.units, self.units))
    }

    pub fn recurrent_kernel<'g>(&self, cx: &Context<'g>) -> Result<Value<'g>> {
        cx.weight(&self.recurrent_kernel, "recurrent_kernel")
    }

    /// The bias, if the cell has one.
    pub fn bias<'g>(&self, cx: &Context<'g>) -> Option<Value<'g>> {
        self.bias.as_ref().map(|bias| cx.read(bias))
    }
}
