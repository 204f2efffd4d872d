//! `keras.layers.TernaryDense` (Keras 3.16; Ma et al. 2024, BitNet b1.58):
//! output = activation(β · (inputs · ternary) + bias), where ternary is the sign of each weight whose
//! size exceeds the threshold, else 0. Without a threshold, half the mean size of all weights is one
//! and β is that mean; with one, β is 1.
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | 0 kernel | (input_dim, units) | always |
//! | 1 bias | (units) | use_bias |
//!
//! Quantized, they are as [`QuantizedKernel`] has them.
//!
//! Input (batch, …, input_dim) → output (batch, …, units).

use crate::activations::Activation;
use crate::base::{DType, Error, Result};
use crate::builder;
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::config::Config;
use crate::layers::layer::{layer_base, numbered};
use crate::layers::{Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec};
use crate::quantizers::{KernelShape, Mode, QuantizedKernel};
use crate::tensor::Variable;

builder! {
    /// A densely connected layer that computes with the weights -1, 0 and 1, and trains floats.
    TernaryDense(units) {
        threshold: null,
        activation: "linear",
        use_bias: true,
        kernel_initializer: "glorot_uniform",
        bias_initializer: "zeros",
        kernel_regularizer: null,
        bias_regularizer: null,
        activity_regularizer: null,
        kernel_constraint: null,
        bias_constraint: null,
    }
}

struct TernaryDenseLayer {
    base: LayerBase,
    units: usize,
    threshold: Option<f64>,
    activation: Activation,
    kernel_initializer: Initializer,
    bias_initializer: Initializer,
    use_bias: bool,
    kernel: Option<Kernel>,
    bias: Option<Variable>,
}

enum Kernel {
    Float(Variable),
    Quantized(QuantizedKernel),
}

impl TernaryDense {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let threshold = config.optional_float("threshold")?;
        if threshold.is_some_and(|threshold| threshold.is_nan() || threshold < 0.0) {
            return Err(config.bad("threshold", "null or a number that is not negative"));
        }
        Ok(Box::new(TernaryDenseLayer {
            base: LayerBase::new("TernaryDense", config)?,
            units: config.size("units")?,
            threshold,
            activation: Activation::from_config(config, "activation")?,
            kernel_initializer: Initializer::from_config(config, "kernel_initializer")?,
            bias_initializer: Initializer::from_config(config, "bias_initializer")?,
            use_bias: config.bool("use_bias")?,
            kernel: None,
            bias: None,
        }))
    }
}

impl TernaryDenseLayer {
    /// The product of the inputs with the weights -1, 0 and 1 for which the floats of `kernel` stand.
    ///
    /// They are decided in single precision whatever the policy. Gradients pass by the rounding, as if
    /// the floats themselves were multiplied.
    fn product<'g>(&self, cx: &Context<'g>, x: Value<'g>, kernel: &Variable) -> Value<'g> {
        let stored = cx.graph().read(kernel);
        let size = stored.cast(DType::Float32).abs();
        let mean = size.mean(&[0, 1]);
        let threshold = match self.threshold {
            Some(threshold) => mean.like(threshold),
            None => mean * 0.5,
        };
        let large = size.binary("gt", threshold.broadcast(size.shape()));
        let ternary = stored.unary("sign") * large.cast(stored.dtype());
        let (floats, ternary) = (stored.cast(cx.compute_dtype()), ternary.cast(cx.compute_dtype()));
        let y = x.dot(floats + (ternary - floats).stop_gradient());
        match self.threshold {
            Some(_) => y,
            None => y * mean.cast(y.dtype()),
        }
    }
}

impl Layer for TernaryDenseLayer {
    layer_base!();

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let (rows, columns) = (inputs.input_shape()?.known(-1)?, self.units);
        let kernel = vec![rows, columns];
        self.kernel = Some(match self.base.policy.quantization {
            None => {
                let kernel = self.base.add_weight("kernel", kernel, &self.kernel_initializer)?;
                Kernel::Float(kernel)
            }
            Some(mode @ Mode::Ternary) => {
                let shape = KernelShape { kernel, rows, columns, scale: Vec::new() };
                Kernel::Quantized(QuantizedKernel::build(&mut self.base, mode, shape)?)
            }
            Some(mode) => {
                return Err(Error::Unsupported(format!(
                    "TernaryDense '{}' in mode {mode}; Keras has it in mode ternary",
                    self.base.name
                )));
            }
        });
        if self.use_bias {
            self.bias = Some(self.base.add_weight("bias", [columns], &self.bias_initializer)?);
        }
        Ok(())
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let x = args.input()?.cast(cx.compute_dtype());
        let y = match &self.kernel {
            None => return Err(Error::Internal("TernaryDense is used before it is built".into())),
            Some(Kernel::Float(kernel)) => self.product(cx, x, kernel),
            Some(Kernel::Quantized(kernel)) => {
                kernel.rescaled(cx, x.dot(kernel.integers(cx).cast(cx.compute_dtype())))
            }
        };
        let y = match &self.bias {
            Some(bias) => y + cx.read(bias),
            None => y,
        };
        Ok(self.activation.apply(y).into())
    }

    fn own_variables(&self) -> Vec<(String, Variable)> {
        let bias = self.bias.as_ref();
        numbered(match &self.kernel {
            None => Vec::new(),
            Some(Kernel::Float(kernel)) => {
                [Some(kernel), bias].into_iter().flatten().cloned().collect()
            }
            Some(Kernel::Quantized(kernel)) => kernel.in_file_order(bias),
        })
    }
}
