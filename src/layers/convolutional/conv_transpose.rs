//! `keras.layers.Conv1DTranspose`, `Conv2DTranspose`, `Conv3DTranspose`: the gradient of a
//! convolution with respect to its input, as a layer of its own.
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | 0 kernel | (kernel_size…, filters, channels) | always |
//! | 1 bias | (filters) | use_bias |
//!
//! Input (batch, space…, channels) → output (batch, space…, filters). With reach
//! k = (kernel_size − 1) · dilation_rate + 1, an extent n becomes (n − 1) · strides + max(k, strides)
//! for `valid` and n · strides for `same`; an `output_padding` replaces the part that is chosen freely.

use super::base::ConvBase;
use crate::base::Result;
use crate::builder;
use crate::initializers::Initializer;
use crate::layers::config::{Config, Json};
use crate::layers::layer::layer_base;
use crate::layers::spatial::{Padding, three};
use crate::layers::{Args, CallArgs, Context, Layer, Outputs, SymbolicSpec};
use crate::tensor::Variable;

macro_rules! conv_transpose {
    ($($(#[$doc:meta])* $name:ident $rank:literal)*) => { $(
        builder! {
            $(#[$doc])*
            $name(filters, kernel_size) {
                strides: 1,
                padding: "valid",
                output_padding: null,
                data_format: null,
                dilation_rate: 1,
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

        impl $name {
            pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
                Ok(Box::new(ConvTransposeLayer::new(stringify!($name), $rank, config)?))
            }
        }
    )* };
}

conv_transpose! {
    /// Transposed convolution over one spatial axis.
    Conv1DTranspose 1
    /// Transposed convolution over two spatial axes.
    Conv2DTranspose 2
    /// Transposed convolution over three spatial axes.
    Conv3DTranspose 3
}

struct ConvTransposeLayer {
    conv: ConvBase,
    filters: usize,
    output_padding: Option<[usize; 3]>,
    kernel_initializer: Initializer,
    kernel: Option<Variable>,
}

impl ConvTransposeLayer {
    fn new(class_name: &'static str, rank: usize, config: &Config) -> Result<ConvTransposeLayer> {
        let conv = ConvBase::new(class_name, rank, config)?;
        if conv.window.padding == Padding::Causal {
            return Err(config.bad("padding", "\"valid\" or \"same\""));
        }
        Ok(ConvTransposeLayer {
            output_padding: output_padding(config, rank, &conv)?,
            conv,
            filters: config.size("filters")?,
            kernel_initializer: Initializer::from_config(config, "kernel_initializer")?,
            kernel: None,
        })
    }
}

/// `output_padding`: null, or one number per axis, each below its stride.
fn output_padding(config: &Config, rank: usize, conv: &ConvBase) -> Result<Option<[usize; 3]>> {
    let values = match config.get("output_padding") {
        Json::Null => return Ok(None),
        Json::Array(_) => config.ints("output_padding")?,
        _ => vec![config.int("output_padding")?; rank],
    };
    let bad = || config.bad("output_padding", "a number per axis, from 0 to the stride less 1");
    let sizes: Vec<usize> =
        values.iter().map(|&v| usize::try_from(v).map_err(|_| bad())).collect::<Result<_>>()?;
    let strides = &conv.window.stride[3 - rank..];
    if sizes.len() != rank || sizes.iter().zip(strides).any(|(p, s)| p >= s) {
        return Err(bad());
    }
    Ok(Some(three(&sizes)))
}

impl Layer for ConvTransposeLayer {
    layer_base!(conv.base);

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let channels = [self.filters, self.conv.channels(inputs)?];
        let kernel = self.conv.add_kernel("kernel", channels, &self.kernel_initializer)?;
        self.kernel = Some(kernel);
        self.conv.add_bias(self.filters)
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let x = self.conv.format.to_last(args.input()?);
        let kernel = cx.weight(&self.kernel, "kernel")?;
        let y = self.conv.window.conv_transpose(x, kernel, self.output_padding)?;
        Ok(self.conv.finish(cx, y).into())
    }
}
