//! `keras.layers.Conv1D`, `Conv2D`, `Conv3D`: output = activation(inputs ∗ kernel + bias).
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | 0 kernel | (kernel_size…, channels / groups, filters) | always |
//! | 1 bias | (filters) | use_bias |
//!
//! Input (batch, space…, channels) → output (batch, space…, filters); with `channels_first` the
//! channel axis is axis 1 of both.

use super::base::ConvBase;
use crate::base::{Error, Result};
use crate::builder;
use crate::initializers::Initializer;
use crate::layers::config::Config;
use crate::layers::layer::layer_base;
use crate::layers::lora::Lora;
use crate::layers::{Args, CallArgs, Context, Layer, Outputs, SymbolicSpec};
use crate::tensor::Variable;

macro_rules! conv {
    ($($(#[$doc:meta])* $name:ident $rank:literal)*) => { $(
        builder! {
            $(#[$doc])*
            $name(filters, kernel_size) {
                strides: 1,
                padding: "valid",
                data_format: null,
                dilation_rate: 1,
                groups: 1,
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
            }
        }

        impl $name {
            pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
                Ok(Box::new(ConvLayer::new(stringify!($name), $rank, config)?))
            }
        }
    )* };
}

conv! {
    /// Convolution over one spatial axis.
    Conv1D 1
    /// Convolution over two spatial axes.
    Conv2D 2
    /// Convolution over three spatial axes.
    Conv3D 3
}

struct ConvLayer {
    conv: ConvBase,
    filters: usize,
    groups: usize,
    lora: Lora,
    kernel_initializer: Initializer,
    kernel: Option<Variable>,
}

impl ConvLayer {
    fn new(class_name: &'static str, rank: usize, config: &Config) -> Result<ConvLayer> {
        let (filters, groups) = (config.size("filters")?, config.size("groups")?);
        if filters % groups != 0 {
            return Err(config.bad("groups", &format!("a divisor of the {filters} filters")));
        }
        Ok(ConvLayer {
            conv: ConvBase::new(class_name, rank, config)?,
            filters,
            groups,
            lora: Lora::from_config(config)?,
            kernel_initializer: Initializer::from_config(config, "kernel_initializer")?,
            kernel: None,
        })
    }
}

impl Layer for ConvLayer {
    layer_base!(conv.base);

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let channels = self.conv.channels(inputs)?;
        if channels % self.groups != 0 {
            let expected = format!("a multiple of the {} groups", self.groups);
            return Err(Error::shape("build", format!("{channels} channels"), expected));
        }
        let channels = [channels / self.groups, self.filters];
        let kernel = self.conv.add_kernel("kernel", channels, &self.kernel_initializer)?;
        self.conv.add_bias(self.filters)?;
        let shape = kernel.spec().shape.clone();
        self.lora.build(&mut self.conv.base, &kernel, &shape)?;
        self.kernel = Some(kernel);
        Ok(())
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let x = self.conv.format.to_last(args.input()?);
        let y = self.conv.window.conv(x, cx.weight(&self.kernel, "kernel")?)?;
        Ok(self.conv.finish(cx, y).into())
    }
}
