//! `keras.layers.RandomTranslation`: in training, moves images by drawn shares of their size.
//!
//! Output shape = input shape.

use crate::base::Result;
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::preprocessing::image::affine::{Affine, Geometry};
use crate::layers::preprocessing::image::base::{ImageLayer, Scene};
use crate::layers::preprocessing::image::boxes::{BoxFormat, Boxes, joined, numbers};
use crate::layers::preprocessing::image::settings::strict_factor;

builder! {
    /// Moves images, in training.
    RandomTranslation(height_factor, width_factor) {
        fill_mode: "reflect",
        interpolation: "bilinear",
        seed: null,
        fill_value: 0.0,
        data_format: null,
    }
}

/// Shares of the height and of the width, from the least to the greatest.
pub(super) struct Translation([[f64; 2]; 2]);

impl RandomTranslation {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        ImageLayer::boxed("RandomTranslation", config, RandomTranslation::augment(config)?)
    }

    pub(super) fn augment(config: &Config) -> Result<Affine<Translation>> {
        let factor = |key: &str| strict_factor(config, key, [-1.0, 1.0]);
        Affine::new(config, Translation([factor("height_factor")?, factor("width_factor")?]))
    }
}

impl Geometry for Translation {
    const CLASS: &'static str = "RandomTranslation";

    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<[Value<'g>; 6]> {
        let pixels = |i: usize| -> Result<Value<'g>> {
            let share = scene.uniform(self.0[i])?.reshape([scene.batch(), 1]);
            Ok(share * scene.size()[i] as f64)
        };
        let (down, across) = (pixels(0)?, pixels(1)?);
        let (zero, one) = (down.like(0.0), down.like(1.0));
        Ok([one, zero, -across, zero, one, -down])
    }

    fn boxes<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        boxes: Boxes<'g>,
        [_, _, across, _, _, down]: [Value<'g>; 6],
    ) -> Result<Boxes<'g>> {
        let (format, size) = (scene.needed_box_format()?, scene.size().map(|d| d as f64));
        let [x1, y1, x2, y2] = numbers(format.convert(boxes.boxes, BoxFormat::XYXY, size));
        let moved = joined([x1 - across, y1 - down, x2 - across, y2 - down]);
        let clipped = boxes.with(moved).clipped(size);
        let back = BoxFormat::XYXY.convert(clipped.boxes, format, size);
        Ok(clipped.with(back))
    }
}
