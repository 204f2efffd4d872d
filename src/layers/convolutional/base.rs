//! What all convolutions share: window, data format, bias and activation.

use crate::activations::Activation;
use crate::base::{Result, Shape};
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::config::Config;
use crate::layers::spatial::{DataFormat, Padding, Window};
use crate::layers::{CallArgs, Context, LayerBase, SymbolicSpec};
use crate::tensor::Variable;

pub(super) struct ConvBase {
    pub base: LayerBase,
    pub window: Window,
    pub format: DataFormat,
    activation: Activation,
    use_bias: bool,
    bias_initializer: Initializer,
    bias: Option<Variable>,
}

impl ConvBase {
    /// Reads the keys that all convolutions have.
    pub fn new(class_name: &'static str, rank: usize, config: &Config) -> Result<ConvBase> {
        let size = config.sizes("kernel_size", rank)?;
        let stride = config.sizes("strides", rank)?;
        let dilation = config.sizes("dilation_rate", rank)?;
        let padding = Padding::from_config(config, rank == 1)?;
        Ok(ConvBase {
            base: LayerBase::new(class_name, config)?,
            window: Window::new(rank, [&size, &stride, &dilation], padding),
            format: DataFormat::from_config(config)?,
            activation: Activation::from_config(config, "activation")?,
            use_bias: config.bool("use_bias")?,
            bias_initializer: Initializer::from_config(config, "bias_initializer")?,
            bias: None,
        })
    }

    /// Number of input channels, which must be known.
    pub fn channels(&self, inputs: &CallArgs<SymbolicSpec>) -> Result<usize> {
        inputs.input_shape()?.known(self.format.channel_axis())
    }

    /// Makes a kernel of the window's extents and two channel axes.
    pub fn add_kernel(
        &mut self,
        name: &str,
        channels: [usize; 2],
        initializer: &Initializer,
    ) -> Result<Variable> {
        let shape: Shape = self.window.sizes().iter().copied().chain(channels).collect();
        self.base.add_weight(name, shape, initializer)
    }

    /// Makes the bias, when the layer has one.
    pub fn add_bias(&mut self, channels: usize) -> Result<()> {
        if self.use_bias {
            let bias = self.base.add_weight("bias", [channels], &self.bias_initializer)?;
            self.bias = Some(bias);
        }
        Ok(())
    }

    /// Bias and activation on a convolution's result, whose channels are last.
    pub fn finish<'g>(&self, cx: &Context<'g>, y: Value<'g>) -> Value<'g> {
        let y = self.bias.as_ref().map_or(y, |bias| y + cx.read(bias));
        self.activation.apply(self.format.restore(y))
    }
}
