//! `keras.layers.Resizing`: images in another size, stretched, or cut or filled up to keep their
//! proportions.
//!
//! Input (batch, height, width, channels), or one image → output of the given height and width.

use crate::base::{Error, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::imaging::interpolation::{Interpolation, centered_part};
use crate::layers::spatial::DataFormat;
use crate::layers::stateless::stateless_with;

builder! {
    /// Resizes images.
    Resizing(height, width) {
        interpolation: "bilinear",
        crop_to_aspect_ratio: false,
        pad_to_aspect_ratio: false,
        fill_mode: "constant",
        fill_value: 0.0,
        antialias: false,
        data_format: null,
    }
}

/// The settings of a change of size.
#[derive(Clone, Copy)]
pub(crate) struct Resize {
    pub size: [usize; 2],
    interpolation: Interpolation,
    crop: bool,
    fill: Option<f64>,
    antialias: bool,
    format: DataFormat,
}

impl Resizing {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let size = [config.size("height")?, config.size("width")?];
        // Boxes come in mappings, which are refused as inputs: their format changes no image.
        config.optional_str("bounding_box_format")?;
        let resize = Resize::from_config(config, size)?;
        stateless_with("Resizing", config, &["training"], move |cx, args| {
            resize.apply(args.input()?.cast(cx.compute_dtype()))
        })
    }
}

impl Resize {
    /// Reads everything but the size.
    pub fn from_config(config: &Config, size: [usize; 2]) -> Result<Resize> {
        let crop = config.bool("crop_to_aspect_ratio")?;
        let pad = config.bool("pad_to_aspect_ratio")?;
        if crop && pad {
            return Err(config.bad("pad_to_aspect_ratio", "false where images are cropped"));
        }
        config.choice("fill_mode", &[("constant", ())])?;
        let fill = config.float("fill_value")?;
        Ok(Resize {
            size,
            interpolation: Interpolation::from_config(config)?,
            crop,
            fill: pad.then_some(fill),
            antialias: config.bool("antialias")?,
            format: DataFormat::from_config(config)?,
        })
    }

    /// Height and width axis of images of this rank.
    fn axes(&self, x: Value<'_>) -> Result<[usize; 2]> {
        let back = match self.format {
            DataFormat::ChannelsLast => 3,
            DataFormat::ChannelsFirst => 2,
        };
        match x.rank() {
            rank @ (3 | 4) => Ok([rank - back, rank - back + 1]),
            _ => Err(Error::shape("resizing", x.shape().to_string(), "one image or a batch")),
        }
    }

    pub fn apply<'g>(&self, x: Value<'g>) -> Result<Value<'g>> {
        let axes = self.axes(x)?;
        let x = match self.fill {
            Some(fill) => self.padded(x, axes, fill),
            None if self.crop => {
                let parts = centered_part(&x.shape(), axes, self.size);
                let parts = axes.into_iter().zip(parts);
                parts.fold(x, |x, (axis, (start, extent))| x.narrow(axis, start, extent))
            }
            None => x,
        };
        let extents: Vec<(usize, usize)> = axes.into_iter().zip(self.size).collect();
        self.interpolation.resize(x, &extents, self.antialias)
    }

    /// The image with bars on two sides, so that it has about the proportions of the new size.
    fn padded<'g>(&self, x: Value<'g>, [h, w]: [usize; 2], fill: f64) -> Value<'g> {
        let shape = x.shape();
        let bar = |own: usize, other: usize, target: usize, other_target: usize| {
            let fitting = (other as f64 * target as f64 / other_target as f64) as usize;
            fitting.saturating_sub(own) / 2
        };
        let [height, width] = self.size;
        let mut bars = vec![0; shape.rank()];
        bars[h] = bar(shape[h], shape[w], height, width);
        if bars[h] == 0 {
            bars[w] = bar(shape[w], shape[h], width, height);
        }
        x.pad(&bars, &bars, fill)
    }
}
