//! `keras.layers.SeparableConv1D`, `SeparableConv2D`: every channel convolved by itself, then a
//! mixture of channels at each position.
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | 0 depthwise_kernel | (kernel_size…, channels, depth_multiplier) | always |
//! | 1 pointwise_kernel | (1…, channels · depth_multiplier, filters) | always |
//! | 2 bias | (filters) | use_bias |
//!
//! Input (batch, space…, channels) → output (batch, space…, filters).

use super::base::ConvBase;
use crate::base::{Result, Shape};
use crate::builder;
use crate::initializers::Initializer;
use crate::layers::config::Config;
use crate::layers::layer::layer_base;
use crate::layers::{Args, CallArgs, Context, Layer, Outputs, SymbolicSpec};
use crate::tensor::Variable;

macro_rules! separable_conv {
    ($($(#[$doc:meta])* $name:ident $rank:literal)*) => { $(
        builder! {
            $(#[$doc])*
            $name(filters, kernel_size) {
                strides: 1,
                padding: "valid",
                data_format: null,
                dilation_rate: 1,
                depth_multiplier: 1,
                activation: "linear",
                use_bias: true,
                depthwise_initializer: "glorot_uniform",
                pointwise_initializer: "glorot_uniform",
                bias_initializer: "zeros",
                depthwise_regularizer: null,
                pointwise_regularizer: null,
                bias_regularizer: null,
                activity_regularizer: null,
                depthwise_constraint: null,
                pointwise_constraint: null,
                bias_constraint: null,
            }
        }

        impl $name {
            pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
                Ok(Box::new(SeparableConvLayer::new(stringify!($name), $rank, config)?))
            }
        }
    )* };
}

separable_conv! {
    /// Depthwise, then pointwise convolution over one spatial axis.
    SeparableConv1D 1
    /// Depthwise, then pointwise convolution over two spatial axes.
    SeparableConv2D 2
}

struct SeparableConvLayer {
    conv: ConvBase,
    filters: usize,
    depth_multiplier: usize,
    depthwise_initializer: Initializer,
    pointwise_initializer: Initializer,
    depthwise_kernel: Option<Variable>,
    pointwise_kernel: Option<Variable>,
}

impl SeparableConvLayer {
    fn new(class_name: &'static str, rank: usize, config: &Config) -> Result<SeparableConvLayer> {
        Ok(SeparableConvLayer {
            conv: ConvBase::new(class_name, rank, config)?,
            filters: config.size("filters")?,
            depth_multiplier: config.size("depth_multiplier")?,
            depthwise_initializer: Initializer::from_config(config, "depthwise_initializer")?,
            pointwise_initializer: Initializer::from_config(config, "pointwise_initializer")?,
            depthwise_kernel: None,
            pointwise_kernel: None,
        })
    }
}

impl Layer for SeparableConvLayer {
    layer_base!(conv.base);

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let channels = self.conv.channels(inputs)?;
        let shape = [channels, self.depth_multiplier];
        let depthwise =
            self.conv.add_kernel("depthwise_kernel", shape, &self.depthwise_initializer)?;
        self.depthwise_kernel = Some(depthwise);
        let between = channels.saturating_mul(self.depth_multiplier);
        let ones = std::iter::repeat_n(1, self.conv.window.rank);
        let shape: Shape = ones.chain([between, self.filters]).collect();
        let pointwise =
            self.conv.base.add_weight("pointwise_kernel", shape, &self.pointwise_initializer)?;
        self.pointwise_kernel = Some(pointwise);
        self.conv.add_bias(self.filters)
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let x = self.conv.format.to_last(args.input()?);
        let depthwise = cx.weight(&self.depthwise_kernel, "depthwise_kernel")?;
        let between = self.conv.window.depthwise_conv(x, depthwise)?;
        let pointwise = cx.weight(&self.pointwise_kernel, "pointwise_kernel")?;
        let channels = pointwise.shape().len() / self.filters;
        let y = between.dot(pointwise.reshape([channels, self.filters]));
        Ok(self.conv.finish(cx, y).into())
    }
}
