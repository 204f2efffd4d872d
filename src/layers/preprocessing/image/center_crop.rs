//! `keras.layers.CenterCrop`: the middle of images. A smaller image is resized instead, after what does
//! not fit the proportions has been cut off.
//!
//! Input (batch, height, width, channels), or one image → output of the given height and width.

use crate::base::{DType, Error, Result};
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::imaging::interpolation::{Interpolation, centered_part};
use crate::layers::spatial::DataFormat;
use crate::layers::stateless::stateless_with;

builder! {
    /// Cuts out the middle of images.
    CenterCrop(height, width) {
        data_format: null,
    }
}

impl CenterCrop {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let size = [config.size("height")?, config.size("width")?];
        let back = match DataFormat::from_config(config)? {
            DataFormat::ChannelsLast => 3,
            DataFormat::ChannelsFirst => 2,
        };
        stateless_with("CenterCrop", config, &["training"], move |cx, args| {
            let x = args.input()?.cast(cx.compute_dtype());
            let shape = x.shape();
            let first = match shape.rank() {
                rank @ (3 | 4) => rank - back,
                _ => {
                    let found = shape.to_string();
                    return Err(Error::shape("center crop", found, "one image or a batch"));
                }
            };
            let axes = [first, first + 1];
            let fits = axes.iter().zip(size).all(|(&axis, extent)| shape[axis] >= extent);
            let parts = match fits {
                true => [0, 1].map(|i| ((shape[axes[i]] - size[i]) / 2, size[i])),
                false => centered_part(&shape, axes, size),
            };
            let cut = axes.into_iter().zip(parts);
            let cut = cut.fold(x, |x, (axis, (start, extent))| x.narrow(axis, start, extent));
            // Only cutting keeps integers.
            let cut = if fits || cut.dtype().is_float() { cut } else { cut.cast(DType::Float32) };
            let extents: Vec<(usize, usize)> = axes.into_iter().zip(size).collect();
            Interpolation::Bilinear.resize(cut, &extents, false)
        })
    }
}
