//! `keras.layers.Softmax`: exp(x) / Σ exp(x) over one or several axes. A mask, which broadcasts to
//! the input, takes elements out: their share is zero.
//!
//! Output shape = input shape.

use crate::base::{DType, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::stateless::stateless_with;

builder! {
    /// Shares that sum to one over some axes.
    Softmax() {
        axis: (-1),
    }
}

impl Softmax {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let axes = config.ints("axis")?;
        stateless_with("Softmax", config, &["mask"], move |_, args| {
            let x = args.input()?;
            let axes: Vec<usize> =
                axes.iter().map(|&axis| x.shape().axis(axis)).collect::<Result<_>>()?;
            let x = match x.dtype() {
                // The difference is taken exactly, as in Keras.
                DType::Int32 => {
                    let largest = x.max(&axes).keep_axes(&x.shape(), &axes);
                    (x - largest.broadcast(x.shape())).cast(DType::Float32)
                }
                _ => x,
            };
            let Some(mask) = args.tensor(1, "mask")? else { return Ok(x.softmax(&axes)) };
            let mask = match mask.dtype() {
                DType::Bool => mask,
                dtype if dtype.is_float() => mask.binary("gt", mask.scalar_like(0.5)),
                _ => mask.binary("gt", mask.scalar_like(0.0)),
            };
            let shares = mask.select(x, x.like(large_negative(x))).softmax(&axes);
            Ok(mask.select(shares, shares.like(0.0)))
        })
    }
}

/// A number so low that its exponential vanishes, in the dtype of `x`.
pub(crate) fn large_negative(x: Value<'_>) -> f64 {
    if x.dtype() == DType::Float16 { -3e4 } else { -1e9 }
}
