//! `keras.layers.UpSampling1D`, `UpSampling2D`, `UpSampling3D`: every element `size` times along each
//! spatial axis, or interpolated.
//!
//! Input (batch, space…, channels) → output (batch, space · size…, channels).

use crate::base::{Error, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::spatial::DataFormat;
use crate::layers::stateless::stateless;

builder! {
    /// Repeats every step.
    UpSampling1D() {
        size: 2,
    }
}

builder! {
    /// Repeats rows and columns.
    UpSampling2D() {
        size: 2,
        data_format: null,
        interpolation: "nearest",
    }
}

builder! {
    /// Repeats planes, rows and columns.
    UpSampling3D() {
        size: 2,
        data_format: null,
    }
}

impl UpSampling1D {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        up_sampling("UpSampling1D", 1, config)
    }
}

impl UpSampling2D {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let interpolation = config.str("interpolation")?;
        if interpolation != "nearest" {
            return Err(config.bad("interpolation", "\"nearest\"; others are not supported yet"));
        }
        up_sampling("UpSampling2D", 2, config)
    }
}

impl UpSampling3D {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        up_sampling("UpSampling3D", 3, config)
    }
}

fn up_sampling(class_name: &'static str, rank: usize, config: &Config) -> Result<Box<dyn Layer>> {
    let sizes = config.sizes("size", rank)?;
    let format = DataFormat::from_config(config)?;
    stateless(class_name, config, move |_, args| {
        let x = spatial_input(args.input()?, rank)?;
        let axes = format.first_spatial_axis()..;
        Ok(sizes.iter().zip(axes).fold(x, |x, (&size, axis)| x.repeat(axis, size)))
    })
}

fn spatial_input(x: Value<'_>, rank: usize) -> Result<Value<'_>> {
    if x.rank() == rank + 2 {
        return Ok(x);
    }
    let expected = format!("a batch, {rank} spatial axes and channels");
    Err(Error::shape("up-sampling", x.shape().to_string(), expected))
}
