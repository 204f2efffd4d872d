//! `keras.layers.DepthwiseConv1D`, `DepthwiseConv2D`: every channel convolved by itself.
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | 0 kernel | (kernel_size…, channels, depth_multiplier) | always |
//! | 1 bias | (channels · depth_multiplier) | use_bias |
//!
//! Input (batch, space…, channels) → output (batch, space…, channels · depth_multiplier).

use super::base::ConvBase;
use crate::base::Result;
use crate::builder;
use crate::initializers::Initializer;
use crate::layers::config::Config;
use crate::layers::layer::layer_base;
use crate::layers::{Args, CallArgs, Context, Layer, Outputs, SymbolicSpec};
use crate::tensor::Variable;

macro_rules! depthwise_conv {
    ($($(#[$doc:meta])* $name:ident $rank:literal)*) => { $(
        builder! {
            $(#[$doc])*
            $name(kernel_size) {
                strides: 1,
                padding: "valid",
                depth_multiplier: 1,
                data_format: null,
                dilation_rate: 1,
                activation: "linear",
                use_bias: true,
                depthwise_initializer: "glorot_uniform",
                bias_initializer: "zeros",
                depthwise_regularizer: null,
                bias_regularizer: null,
                activity_regularizer: null,
                depthwise_constraint: null,
                bias_constraint: null,
            }
        }

        impl $name {
            pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
                Ok(Box::new(DepthwiseConvLayer {
                    conv: ConvBase::new(stringify!($name), $rank, config)?,
                    depth_multiplier: config.size("depth_multiplier")?,
                    initializer: Initializer::from_config(config, "depthwise_initializer")?,
                    kernel: None,
                }))
            }
        }
    )* };
}

depthwise_conv! {
    /// Convolution of each channel by itself, over one spatial axis.
    DepthwiseConv1D 1
    /// Convolution of each channel by itself, over two spatial axes.
    DepthwiseConv2D 2
}

struct DepthwiseConvLayer {
    conv: ConvBase,
    depth_multiplier: usize,
    initializer: Initializer,
    kernel: Option<Variable>,
}

impl Layer for DepthwiseConvLayer {
    layer_base!(conv.base);

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let channels = self.conv.channels(inputs)?;
        let shape = [channels, self.depth_multiplier];
        self.kernel = Some(self.conv.add_kernel("kernel", shape, &self.initializer)?);
        self.conv.add_bias(channels.saturating_mul(self.depth_multiplier))
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let x = self.conv.format.to_last(args.input()?);
        let y = self.conv.window.depthwise_conv(x, cx.weight(&self.kernel, "kernel")?)?;
        Ok(self.conv.finish(cx, y).into())
    }
}
