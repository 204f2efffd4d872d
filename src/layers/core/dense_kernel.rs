//! Kernel and bias of `Dense` and `EinsumDense`, as floats or quantized.

use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::config::Config;
use crate::layers::layer::numbered;
use crate::layers::lora::Lora;
use crate::layers::{Context, LayerBase};
use crate::quantizers::{
    AbsMaxQuantizer, Float8Scales, KernelShape, Mode, QuantizationConfig, QuantizedKernel, Summed,
    contract_integers,
};
use crate::tensor::Variable;

/// What a dense layer does with inputs and kernel.
pub(super) trait Product {
    /// The product of inputs and kernel, both of one floating dtype.
    fn contract<'g>(&self, x: Value<'g>, kernel: Value<'g>) -> Result<Value<'g>>;

    /// The axes that it sums over, for inputs of this rank.
    fn summed(&self, rank: usize) -> Vec<Summed>;

    /// A scale of the inputs, whose summed axes are 1, with its axes as the output has them.
    fn input_scale<'g>(&self, scale: Value<'g>) -> Result<Value<'g>>;

    /// The scale of an int8 kernel, which lies as the output wants it, with the kernel's axes.
    fn kernel_scale<'g>(&self, scale: Value<'g>) -> Result<Value<'g>>;

    /// Whether integers of four bits are multiplied as they are, like those of eight; otherwise they
    /// are scaled first.
    const MULTIPLIES_INT4: bool;
}

enum Kernel {
    Unbuilt,
    Float(Variable),
    Float8(Variable, Float8Scales),
    Quantized(QuantizedKernel),
}

pub(super) struct DenseKernel {
    kernel_initializer: Initializer,
    bias_initializer: Initializer,
    config: QuantizationConfig,
    lora: Lora,
    kernel: Kernel,
    bias: Option<Variable>,
}

impl DenseKernel {
    /// Reads the keys about the weights.
    pub fn from_config(config: &Config) -> Result<DenseKernel> {
        Ok(DenseKernel {
            kernel_initializer: Initializer::from_config(config, "kernel_initializer")?,
            bias_initializer: Initializer::from_config(config, "bias_initializer")?,
            config: QuantizationConfig::from_config(config)?,
            lora: Lora::from_config(config)?,
            kernel: Kernel::Unbuilt,
            bias: None,
        })
    }

    /// The mode in which the weights are quantized.
    pub fn mode(&self, base: &LayerBase) -> Option<Mode> {
        base.policy.quantization.map(|mode| self.config.mode(mode))
    }

    /// Makes the variables in Keras's order.
    pub fn build(
        &mut self,
        base: &mut LayerBase,
        shape: KernelShape,
        bias: Option<Vec<usize>>,
    ) -> Result<()> {
        let mode = self.mode(base);
        let floats = shape.kernel.clone();
        self.kernel = match mode {
            Some(Mode::Float8 { history }) => {
                let scales = Float8Scales::build(base, history)?;
                let kernel = base.add_weight("kernel", shape.kernel, &self.kernel_initializer)?;
                Kernel::Float8(kernel, scales)
            }
            Some(mode) => Kernel::Quantized(QuantizedKernel::build(base, mode, shape)?),
            None => {
                Kernel::Float(base.add_weight("kernel", shape.kernel, &self.kernel_initializer)?)
            }
        };
        if let Some(bias) = bias {
            self.bias = Some(base.add_weight("bias", bias, &self.bias_initializer)?);
        }
        let weight = match &self.kernel {
            Kernel::Unbuilt => None,
            Kernel::Float(kernel) | Kernel::Float8(kernel, _) => Some(kernel.clone()),
            Kernel::Quantized(kernel) => kernel.in_file_order(None).into_iter().next(),
        };
        weight.map_or(Ok(()), |weight| self.lora.build(base, &weight, &floats))
    }

    /// The variables in the order of a file.
    pub fn own_variables(&self) -> Vec<(String, Variable)> {
        let bias = self.bias.as_ref();
        let float = |kernel: &Variable| {
            let all = [Some(kernel), bias];
            all.into_iter().flatten().cloned().collect::<Vec<_>>()
        };
        let variables = match &self.kernel {
            Kernel::Unbuilt => Vec::new(),
            Kernel::Float(kernel) => float(kernel),
            Kernel::Float8(kernel, scales) => {
                float(kernel).into_iter().chain(scales.variables().iter().cloned()).collect()
            }
            Kernel::Quantized(kernel) => kernel.in_file_order(bias),
        };
        numbered(variables)
    }

    /// Product and bias.
    pub fn apply<'g, P: Product>(
        &self,
        cx: &Context<'g>,
        x: Value<'g>,
        product: &P,
    ) -> Result<Value<'g>> {
        let y = match &self.kernel {
            Kernel::Unbuilt => {
                return Err(Error::Internal("a dense layer is used before it is built".into()));
            }
            Kernel::Float(kernel) => {
                let kernel = cx.read(kernel);
                product.contract(x.cast(kernel.dtype()), kernel)?
            }
            Kernel::Float8(kernel, scales) => {
                if cx.training() {
                    return Err(Error::Unsupported("training in float8".into()));
                }
                let x = scales.inputs(cx, x.cast(cx.compute_dtype()));
                product.contract(x, scales.kernel(cx, cx.read(kernel)))?
            }
            Kernel::Quantized(kernel) => self.quantized(cx, x, kernel, product)?,
        };
        let Some(bias) = &self.bias else { return Ok(y) };
        let bias = cx.read(bias);
        Ok(match &self.kernel {
            // Keras's detour that lets a fused kernel add the bias.
            Kernel::Float8(..) if bias.dtype() == DType::Float32 => {
                y + bias.cast(DType::BFloat16).cast(DType::Float32)
            }
            _ => y + bias,
        })
    }

    fn quantized<'g, P: Product>(
        &self,
        cx: &Context<'g>,
        x: Value<'g>,
        kernel: &QuantizedKernel,
        product: &P,
    ) -> Result<Value<'g>> {
        let compute = cx.compute_dtype();
        let dequantized = || kernel.dequantized(cx, |scale| product.kernel_scale(scale));
        let descaled = matches!(kernel.mode(), Mode::Int8 | Mode::Ternary)
            || (P::MULTIPLIES_INT4 && kernel.has_channels());
        match self.quantizer(kernel) {
            None if descaled => {
                let y = product.contract(x.cast(compute), kernel.integers(cx).cast(compute))?;
                Ok(kernel.rescaled(cx, y))
            }
            None => product.contract(x.cast(compute), dequantized()?),
            Some(quantizer) => {
                let axes = product.summed(x.rank());
                let along: Vec<usize> = axes.iter().filter_map(|axis| axis.a).collect();
                let (numbers, scale) = quantizer.quantize(x, &along)?;
                let scale = product.input_scale(scale)?;
                let y = if descaled {
                    let contract = |a, b| product.contract(a, b);
                    let y = contract_integers(numbers, kernel.integers(cx), &axes, &contract)?;
                    y.cast(compute) / (scale * kernel.scale(cx))
                } else {
                    product.contract(numbers.cast(compute), dequantized()?)? / scale
                };
                if !cx.training() {
                    return Ok(y);
                }
                // The gradient is that of the product with the floats that the kernel stands for.
                let smooth = product.contract(x.cast(compute), dequantized()?)?;
                Ok(y.stop_gradient() + (smooth - smooth.stop_gradient()))
            }
        }
    }

    /// The quantizer of the inputs: only kernels of integers with one scale per channel have one.
    fn quantizer(&self, kernel: &QuantizedKernel) -> Option<AbsMaxQuantizer> {
        let default = (kernel.mode() == Mode::Int8).then(AbsMaxQuantizer::default);
        self.config
            .activation_quantizer(default)
            .filter(|_| kernel.has_channels() && kernel.mode() != Mode::Ternary)
    }
}
