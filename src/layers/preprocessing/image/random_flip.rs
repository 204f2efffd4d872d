//! `keras.layers.RandomFlip`: in training, mirrors half of the images.
//!
//! Output shape = input shape.

use crate::base::{DType, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::boxes::{BoxFormat, Boxes, joined, numbers};

builder! {
    /// Mirrors some images, in training.
    RandomFlip() {
        mode: "horizontal_and_vertical",
        seed: null,
        data_format: null,
    }
}

struct Flip {
    horizontal: bool,
    vertical: bool,
}

impl RandomFlip {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let modes = [
            ("horizontal", (true, false)),
            ("vertical", (false, true)),
            ("horizontal_and_vertical", (true, true)),
        ];
        let (horizontal, vertical) = config.choice("mode", &modes)?;
        ImageLayer::boxed("RandomFlip", config, Flip { horizontal, vertical })
    }
}

impl Augment for Flip {
    fn inference_masks<'g>(&self, scene: &Scene<'_, 'g>, masks: Value<'g>) -> Result<Value<'g>> {
        self.inference(scene, masks)
    }

    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        let draw = scene.uniform([0.0, 1.0])?;
        Ok(vec![scene.per_image(draw.binary("le", draw.like(0.5)))].into())
    }

    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let [flipped] = draw.take()?;
        let [vertical, horizontal] = scene.axes();
        let axes = [(horizontal, self.horizontal), (vertical, self.vertical)];
        let axes: Vec<usize> = axes.into_iter().filter(|(_, on)| *on).map(|(a, _)| a).collect();
        let x = images.cast(scene.cx.compute_dtype());
        Ok(flipped.select(x.reverse(&axes), x))
    }

    fn masks<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        masks: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        self.images(scene, masks, draw)
    }

    fn boxes<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        boxes: Boxes<'g>,
        draw: &Draw<'g>,
    ) -> Result<Boxes<'g>> {
        let [flipped] = draw.take()?;
        let (format, size) = (scene.needed_box_format()?, scene.size().map(|d| d as f64));
        let relative = format.convert(boxes.boxes, BoxFormat::REL_XYXY, size);
        let [x1, y1, x2, y2] = numbers(relative);
        let (x1, x2) = if self.horizontal { (-x2 + 1.0, -x1 + 1.0) } else { (x1, x2) };
        let (y1, y2) = if self.vertical { (-y2 + 1.0, -y1 + 1.0) } else { (y1, y2) };
        let flipped = flipped.reshape([scene.batch(), 1, 1]);
        let turned = flipped.select(joined([x1, y1, x2, y2]), relative).cast(DType::Float32);
        // Keras clips these shares as if they were pixels.
        let boxes = boxes.with(turned).clipped(size);
        let back = BoxFormat::REL_XYXY.convert(boxes.boxes, format, size);
        Ok(boxes.with(back))
    }
}
