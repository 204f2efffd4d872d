//! `keras.layers.RandomCrop`: in training, cuts a part of the given size out of all images, at a drawn
//! position; images that are too small are resized. In inference images are passed on.
//!
//! Input (batch, height, width, channels), or one image → in training, output of the given height and
//! width; in inference, output shape = input shape.

use crate::base::{DType, Result, Shape};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::imaging::interpolation::{Interpolation, centered_part};
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::boxes::{BoxFormat, Boxes, joined, numbers};

builder! {
    /// Cuts a part out of images, in training.
    RandomCrop(height, width) {
        seed: null,
        data_format: null,
    }
}

struct Crop {
    size: [usize; 2],
}

impl RandomCrop {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let size = [config.size("height")?, config.size("width")?];
        ImageLayer::boxed("RandomCrop", config, Crop { size })
    }
}

impl Crop {
    /// Where the part starts when it is not drawn.
    fn fixed<'g>(&self, scene: &Scene<'_, 'g>) -> Draw<'g> {
        let parts = centered_part(&scene.shape, scene.axes(), self.size);
        let start =
            |(start, _): (usize, usize)| scene.cx.graph().scalar(start as f64, DType::Int32);
        parts.map(start).to_vec().into()
    }

    fn cut<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let starts: [Value<'g>; 2] = draw.take()?;
        let mut x = images.cast(scene.cx.compute_dtype());
        for ((axis, start), size) in scene.axes().into_iter().zip(starts).zip(self.size) {
            let size = size.min(x.extent(axis));
            let index = scene.cx.graph().iota([size], 0);
            x = x.gather(index + start, axis);
        }
        let extents: Vec<(usize, usize)> = scene.axes().into_iter().zip(self.size).collect();
        Interpolation::Bilinear.resize(x, &extents, false)
    }
}

impl Augment for Crop {
    fn inference<'g>(&self, _: &Scene<'_, 'g>, images: Value<'g>) -> Result<Value<'g>> {
        Ok(images)
    }

    fn inference_masks<'g>(&self, scene: &Scene<'_, 'g>, masks: Value<'g>) -> Result<Value<'g>> {
        // As in Keras, which cuts masks also where it passes images on.
        let parts = centered_part(&scene.shape, scene.axes(), self.size);
        let mut x = masks.cast(scene.cx.compute_dtype());
        for ((axis, (start, _)), size) in scene.axes().into_iter().zip(parts).zip(self.size) {
            x = x.narrow(axis, start, size.min(x.extent(axis).saturating_sub(start)));
        }
        let extents: Vec<(usize, usize)> = scene.axes().into_iter().zip(self.size).collect();
        Interpolation::Bilinear.resize(x, &extents, false)
    }

    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        let size = scene.size();
        if size.iter().zip(self.size).any(|(&own, wanted)| own <= wanted) {
            return Ok(self.fixed(scene));
        }
        let draw = |(own, wanted): (usize, usize)| -> Result<Value<'g>> {
            let key = scene.seeds.next(scene.cx)?;
            let starts = (own - wanted + 1) as f64;
            Ok(key.uniform(Shape::from([]), 0.0, starts, DType::Float32).cast(DType::Int32))
        };
        let starts = size.into_iter().zip(self.size).map(draw);
        Ok(starts.collect::<Result<Vec<Value<'g>>>>()?.into())
    }

    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        self.cut(scene, images, draw)
    }

    fn masks<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        masks: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        self.cut(scene, masks, draw)
    }

    fn boxes<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        boxes: Boxes<'g>,
        draw: &Draw<'g>,
    ) -> Result<Boxes<'g>> {
        let [top, left]: [Value<'g>; 2] = draw.take()?;
        let (format, size) = (scene.needed_box_format()?, self.size.map(|d| d as f64));
        let edges = numbers(format.convert(boxes.boxes, BoxFormat::XYXY, size));
        // Keras takes the vertical shift from the horizontal edges and the other way round.
        let shifts = [top, left, top, left];
        let moved = std::array::from_fn(|i| {
            let moved = edges[i] - shifts[i].cast(DType::Float32);
            moved.maximum(moved.scalar_like(0.0))
        });
        let back = BoxFormat::XYXY.convert(joined(moved), format, size);
        Ok(boxes.with(back))
    }
}
