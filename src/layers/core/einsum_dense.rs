//! `keras.layers.EinsumDense`: output = activation(einsum(equation, inputs, kernel) + bias).
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | 0 kernel | extents of the equation's second term | always |
//! | 1 bias | extents of bias_axes, 1 for the axes behind the first of them | bias_axes |
//!
//! Quantized, they are as [`QuantizedKernel`](crate::quantizers::QuantizedKernel) has them.
//! Extents come from `output_shape`, which leaves out the batch, and from the input.

use super::dense_kernel::{DenseKernel, Product};
use super::einsum_equation::Equation;
use crate::activations::Activation;
use crate::base::{Error, Result, Shape};
use crate::builder;
use crate::graph::Value;
use crate::graph::einsum::einsum;
use crate::layers::config::{Config, Json};
use crate::layers::layer::layer_base;
use crate::layers::{Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec};
use crate::quantizers::{KernelShape, Mode, Summed};
use crate::tensor::Variable;

builder! {
    /// A dense layer whose product is an Einstein summation.
    EinsumDense(equation, output_shape) {
        activation: "linear",
        bias_axes: null,
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

struct EinsumDenseLayer {
    base: LayerBase,
    equation: Equation,
    output_shape: Vec<Option<usize>>,
    bias_axes: Option<String>,
    activation: Activation,
    weights: DenseKernel,
}

impl EinsumDense {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        // What calibration noted for itself; it follows from the other keys.
        config.optional_size("gptq_unpacked_column_size")?;
        let equation = Equation::parse(config)?;
        let bias_axes = config.optional_str("bias_axes")?;
        if bias_axes
            .is_some_and(|a| a.is_empty() || !a.chars().all(|c| equation.output.contains(c)))
        {
            return Err(config.bad("bias_axes", "letters of the equation's output"));
        }
        Ok(Box::new(EinsumDenseLayer {
            base: LayerBase::new("EinsumDense", config)?,
            equation,
            output_shape: output_shape(config)?,
            bias_axes: bias_axes.map(str::to_owned),
            activation: Activation::from_config(config, "activation")?,
            weights: DenseKernel::from_config(config)?,
        }))
    }
}

/// The key `output_shape`: extents without the batch, null where they follow from the input.
fn output_shape(config: &Config) -> Result<Vec<Option<usize>>> {
    let bad = || config.bad("output_shape", "an extent or a list of extents and null");
    let extent = |json: &Json| match json {
        Json::Null => Ok(None),
        n => {
            let n = n.as_u64().filter(|&n| n > 0 && n <= u64::from(u32::MAX));
            n.map(|n| Some(n as usize)).ok_or_else(bad)
        }
    };
    match config.get("output_shape") {
        Json::Array(items) => items.iter().map(extent).collect(),
        Json::Null => Err(bad()),
        one => Ok(vec![extent(one)?]),
    }
}

/// An equation for inputs of one rank.
struct Einsum<'a> {
    equation: &'a Equation,
    rank: usize,
}

impl Product for Einsum<'_> {
    const MULTIPLIES_INT4: bool = false;

    fn contract<'g>(&self, x: Value<'g>, kernel: Value<'g>) -> Result<Value<'g>> {
        einsum(&self.equation.text, &[x, kernel])
    }

    fn summed(&self, rank: usize) -> Vec<Summed> {
        self.equation.summed(rank)
    }

    fn input_scale<'g>(&self, scale: Value<'g>) -> Result<Value<'g>> {
        self.equation.input_scale_axes(self.rank)?.apply(scale)
    }

    fn kernel_scale<'g>(&self, scale: Value<'g>) -> Result<Value<'g>> {
        Ok(self.equation.kernel_scale_axes(self.rank)?.undo(scale))
    }
}

impl EinsumDenseLayer {
    /// The matrix as which the kernel is quantized, and the shape of its scale.
    fn kernel_shape(&self, kernel: Vec<usize>, input_rank: usize) -> Result<KernelShape> {
        let size = |summed: bool| -> usize {
            let axes = kernel.iter().enumerate();
            let axes = axes.filter(|(i, _)| self.equation.sums_kernel(*i) == summed);
            axes.fold(1, |size, (_, &extent)| size.saturating_mul(extent))
        };
        let (rows, columns, scale) = match self.weights.mode(&self.base) {
            Some(Mode::Gptq { .. } | Mode::Awq { .. }) => {
                let (rows, columns) = calibrated_matrix(&kernel)?;
                (rows, columns, Vec::new())
            }
            Some(Mode::Int8) => {
                let kept = |(i, &d)| if self.equation.sums_kernel(i) { 1 } else { d };
                let kept: Vec<usize> = kernel.iter().enumerate().map(kept).collect();
                let axes = self.equation.kernel_scale_axes(input_rank)?;
                (size(true), size(false), axes.shape(&kept)?)
            }
            Some(Mode::Ternary) => {
                return Err(Error::Unsupported(format!(
                    "EinsumDense '{}' in mode ternary, which Keras has for Dense and TernaryDense",
                    self.base.name
                )));
            }
            _ => (size(true), size(false), Vec::new()),
        };
        Ok(KernelShape { kernel, rows, columns, scale })
    }
}

/// The matrix that calibration takes a kernel for: of three axes, the first are the inputs when the
/// first one is the longest, else all but the last.
fn calibrated_matrix(kernel: &[usize]) -> Result<(usize, usize)> {
    match *kernel {
        [rows, columns] => Ok((rows, columns)),
        [a, b, c] if a >= b && a >= c => Ok((a, b.saturating_mul(c))),
        [a, b, c] => Ok((a.saturating_mul(b), c)),
        _ => Err(Error::shape(
            "calibrated einsum dense",
            format!("kernel {}", Shape::new(kernel.to_vec())),
            "two or three axes",
        )),
    }
}

impl Layer for EinsumDenseLayer {
    layer_base!();

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let input = inputs.input_shape()?;
        let extents =
            self.equation.extents(input, &self.output_shape, self.bias_axes.as_deref())?;
        let shape = self.kernel_shape(extents.kernel, input.rank())?;
        self.weights.build(&mut self.base, shape, extents.bias)
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let x = args.input()?;
        let product = Einsum { equation: &self.equation, rank: x.rank() };
        Ok(self.activation.apply(self.weights.apply(cx, x, &product)?).into())
    }

    fn own_variables(&self) -> Vec<(String, Variable)> {
        self.weights.own_variables()
    }
}
