//! `keras.layers.Resizing`: images in another size, stretched, or cut or filled up to keep their
//! proportions.
//!
//! Input (batch, height, width, channels), or one image → output of the given height and width.

use crate::base::{DType, Error, Result, Shape};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::imaging::interpolation::{Interpolation, centered_part};
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::boxes::{BoxFormat, Boxes, joined, numbers};
use crate::layers::spatial::DataFormat;

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
        ImageLayer::boxed("Resizing", config, Resize::from_config(config, size)?)
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
        let (axes, keep) = (self.axes(x)?, x.dtype());
        let x = match self.fill {
            // What fills integers up need not be one.
            Some(fill) if !keep.is_float() => self.padded(x.cast(DType::Float32), axes, fill),
            Some(fill) => self.padded(x, axes, fill),
            None if self.crop => {
                let parts = centered_part(&x.shape(), axes, self.size);
                let parts = axes.into_iter().zip(parts);
                parts.fold(x, |x, (axis, (start, extent))| x.narrow(axis, start, extent))
            }
            None => x,
        };
        let extents: Vec<(usize, usize)> = axes.into_iter().zip(self.size).collect();
        let resized = self.interpolation.resize(x, &extents, self.antialias)?;
        Ok(match resized.dtype() == keep {
            true => resized,
            false => resized.unary("round").saturating_cast(keep),
        })
    }

    /// The image with bars on two sides, so that it has about the proportions of the new size.
    fn padded<'g>(&self, x: Value<'g>, [h, w]: [usize; 2], fill: f64) -> Value<'g> {
        let bar = |own: usize, other: usize, target: usize, other_target: usize| {
            let fitting = (other as f64 * target as f64 / other_target as f64) as usize;
            fitting.saturating_sub(own) / 2
        };
        let [height, width] = self.size;
        let above = bar(x.extent(h), x.extent(w), height, width);
        let beside = if above == 0 { bar(x.extent(w), x.extent(h), width, height) } else { 0 };
        let bars = (0..x.rank()).map(|axis| match axis {
            axis if axis == h => above,
            axis if axis == w => beside,
            _ => 0,
        });
        let bars: Vec<usize> = bars.collect();
        x.pad(&bars, &bars, fill)
    }
}

impl Resize {
    /// Where the edges of boxes in pixels move, for images of a height and width: factors and offsets
    /// along height and width.
    fn moves(&self, [height, width]: [f64; 2]) -> [(f64, f64); 2] {
        let [h, w] = self.size.map(|d| d as f64);
        let (down, across) = (h / height, w / width);
        let half = |rest: f64| (rest / 2.0).floor();
        if self.fill.is_some() {
            let scale = down.min(across);
            return [(scale, half(h - height * scale)), (scale, half(w - width * scale))];
        }
        if self.crop {
            let (source, target) = (width / height, w / h);
            let (new_w, new_h) = if source > target { (h * source, h) } else { (w, w / source) };
            return [(new_h / height, -half(new_h - h)), (new_w / width, -half(new_w - w))];
        }
        [(down, 0.0), (across, 0.0)]
    }
}

impl Augment for Resize {
    fn always(&self) -> bool {
        true
    }

    fn draw<'g>(&self, _: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        Ok(Draw::default())
    }

    fn images<'g>(&self, _: &Scene<'_, 'g>, images: Value<'g>, _: &Draw<'g>) -> Result<Value<'g>> {
        self.apply(images)
    }

    fn masks<'g>(&self, _: &Scene<'_, 'g>, masks: Value<'g>, _: &Draw<'g>) -> Result<Value<'g>> {
        Resize { interpolation: Interpolation::Nearest, ..*self }.apply(masks)
    }

    fn boxes<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        boxes: Boxes<'g>,
        _: &Draw<'g>,
    ) -> Result<Boxes<'g>> {
        let (format, size) = (scene.needed_box_format()?, scene.size().map(|d| d as f64));
        // Boxes of zeros or of minus ones only fill the list.
        let all = |value: f64| boxes.boxes.binary("eq", boxes.boxes.like(value)).min(&[2]);
        let filler = all(0.0).binary("or", all(-1.0));
        let shape = filler.shape();
        let filler = filler.reshape(shape.iter().copied().chain([1]).collect::<Shape>());
        let [y, x] = self.moves(size);
        let edges = numbers(format.convert(boxes.boxes, BoxFormat::XYXY, size));
        let [x1, y1, x2, y2] = edges;
        let along = |edge: Value<'g>, (scale, offset): (f64, f64)| edge * scale + offset;
        let moved = joined([along(x1, x), along(y1, y), along(x2, x), along(y2, y)]);
        let size = self.size.map(|d| d as f64);
        let clipped = boxes.with(moved).clipped(size);
        let kept = filler.select(clipped.boxes.like(0.0), clipped.boxes);
        let back = BoxFormat::XYXY.convert(kept, format, size);
        Ok(clipped.with(back))
    }
}
