//! `keras.layers.Dense`: output = activation(inputs · kernel + bias).
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | 0 kernel | (input_dim, units) | always |
//! | 1 bias | (units) | use_bias |
//!
//! Quantized, they are as [`QuantizedKernel`](crate::quantizers::QuantizedKernel) has them.
//!
//! Input (batch, …, input_dim) → output (batch, …, units).

use super::dense_kernel::{DenseKernel, Product};
use crate::activations::Activation;
use crate::base::Result;
use crate::builder;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::layers::layer::layer_base;
use crate::layers::{Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec};
use crate::quantizers::{KernelShape, Summed};
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
    weights: DenseKernel,
}

impl Dense {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        Ok(Box::new(DenseLayer {
            base: LayerBase::new("Dense", config)?,
            units: config.size("units")?,
            activation: Activation::from_config(config, "activation")?,
            use_bias: config.bool("use_bias")?,
            weights: DenseKernel::from_config(config)?,
        }))
    }
}

/// The product of the inputs' last axis with the rows of a matrix.
struct LastAxis;

impl Product for LastAxis {
    const MULTIPLIES_INT4: bool = true;

    fn contract<'g>(&self, x: Value<'g>, kernel: Value<'g>) -> Result<Value<'g>> {
        Ok(x.dot(kernel))
    }

    fn summed(&self, rank: usize) -> Vec<Summed> {
        vec![Summed { a: rank.checked_sub(1), b: Some(0) }]
    }

    fn input_scale<'g>(&self, scale: Value<'g>) -> Result<Value<'g>> {
        Ok(scale)
    }

    fn kernel_scale<'g>(&self, scale: Value<'g>) -> Result<Value<'g>> {
        Ok(scale)
    }
}

impl Layer for DenseLayer {
    layer_base!();

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let (rows, columns) = (inputs.input_shape()?.known(-1)?, self.units);
        let kernel = vec![rows, columns];
        let shape = KernelShape { kernel, rows, columns, scale: vec![columns] };
        self.weights.build(&mut self.base, shape, self.use_bias.then(|| vec![columns]))
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        Ok(self.activation.apply(self.weights.apply(cx, args.input()?, &LastAxis)?).into())
    }

    fn own_variables(&self) -> Vec<(String, Variable)> {
        self.weights.own_variables()
    }
}
