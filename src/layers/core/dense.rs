//! `keras.layers.Dense`: output = activation(inputs · kernel + bias).
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | 0 kernel | (input_dim, units) | always |
//! | 1 bias | (units) | use_bias |
//!
//! Input (batch, …, input_dim) → output (batch, …, units).

use crate::activations::Activation;
use crate::base::Result;
use crate::builder;
use crate::initializers::Initializer;
use crate::layers::config::Config;
use crate::layers::layer::layer_base;
use crate::layers::settings::{lora_settings, refuse_quantization, weight_settings};
use crate::layers::{Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec};
use crate::tensor::Variable;

builder! {
    /// A densely connected layer: `activation(inputs · kernel + bias)`.
    Dense(units) {
        activation: "linear",
        use_bias: true,
        kernel_initializer: "glorot_uniform",
        bias_initializer: "zeros",
        kernel_regularizer: null,
        bias_regularizer: null,
        activity_regularizer: null,
        kernel_constraint: null,
        bias_constraint: null,
        lora_rank: null,
        lora_alpha: null,
        quantization_config: null,
    }
}

struct DenseLayer {
    base: LayerBase,
    units: usize,
    activation: Activation,
    use_bias: bool,
    kernel_initializer: Initializer,
    bias_initializer: Initializer,
    kernel: Option<Variable>,
    bias: Option<Variable>,
}

impl Dense {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        weight_settings(config, &["kernel", "bias"])?;
        lora_settings(config)?;
        refuse_quantization(config)?;
        Ok(Box::new(DenseLayer {
            base: LayerBase::new("Dense", config)?,
            units: config.size("units")?,
            activation: Activation::from_config(config, "activation")?,
            use_bias: config.bool("use_bias")?,
            kernel_initializer: Initializer::from_config(config, "kernel_initializer")?,
            bias_initializer: Initializer::from_config(config, "bias_initializer")?,
            kernel: None,
            bias: None,
        }))
    }
}

impl Layer for DenseLayer {
    layer_base!();

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let dim = inputs.input_shape()?.known(-1)?;
        let shape = [dim, self.units];
        self.kernel = Some(self.base.add_weight("kernel", shape, &self.kernel_initializer)?);
        if self.use_bias {
            let bias = self.base.add_weight("bias", [self.units], &self.bias_initializer)?;
            self.bias = Some(bias);
        }
        Ok(())
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let kernel = cx.weight(&self.kernel, "kernel")?;
        let y = args.input()?.cast(kernel.dtype()).dot(kernel);
        let y = self.bias.as_ref().map_or(y, |bias| y + cx.read(bias));
        Ok(self.activation.apply(y).into())
    }
}
