//! `keras.layers.UpSampling1D`, `UpSampling2D`, `UpSampling3D`: every element `size` times along each
//! spatial axis, or interpolated.
//!
//! Input (batch, space…, channels) → output (batch, space · size…, channels).

use crate::base::{Error, Result};
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::imaging::interpolation::Interpolation;
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
        up_sampling("UpSampling1D", 1, Interpolation::Nearest, config)
    }
}

impl UpSampling2D {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        up_sampling("UpSampling2D", 2, Interpolation::from_config(config)?, config)
    }
}

impl UpSampling3D {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        up_sampling("UpSampling3D", 3, Interpolation::Nearest, config)
    }
}

fn up_sampling(
    class_name: &'static str,
    rank: usize,
    interpolation: Interpolation,
    config: &Config,
) -> Result<Box<dyn Layer>> {
    let sizes = config.sizes("size", rank)?;
    let format = DataFormat::from_config(config)?;
    stateless(class_name, config, move |_, args| {
        let x = args.input()?;
        let shape = x.shape();
        if shape.rank() != rank + 2 {
            let expected = format!("a batch, {rank} spatial axes and channels");
            return Err(Error::shape("up-sampling", shape.to_string(), expected));
        }
        let axes = sizes.iter().zip(format.first_spatial_axis()..);
        if interpolation == Interpolation::Nearest {
            return Ok(axes.fold(x, |x, (&size, axis)| x.repeat(axis, size)));
        }
        let extents: Vec<(usize, usize)> =
            axes.map(|(&size, axis)| (axis, shape[axis].saturating_mul(size))).collect();
        interpolation.resize(x, &extents, false)
    })
}
