//! `keras.layers.RandomHue`: in training, turns the hue of images by a drawn share of the circle.
//!
//! Output shape = input shape.

use crate::base::Result;
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::imaging::{hsv_to_rgb, rgb_to_hsv, split_channels};
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::settings::{clip, factor, in_range, value_range};

builder! {
    /// Changes the hue of images, in training.
    RandomHue(factor) {
        value_range: [0, 255],
        data_format: null,
        seed: null,
    }
}

pub(super) struct Hue {
    factor: [f64; 2],
    range: [f64; 2],
}

impl RandomHue {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        ImageLayer::boxed("RandomHue", config, RandomHue::augment(config)?)
    }

    pub(super) fn augment(config: &Config) -> Result<Hue> {
        let factor = factor(config, "factor", [0.0, 1.0])?;
        Ok(Hue { factor, range: value_range(config)? })
    }
}

impl Augment for Hue {
    fn inference<'g>(&self, _: &Scene<'_, 'g>, images: Value<'g>) -> Result<Value<'g>> {
        Ok(images)
    }

    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        let side = scene.uniform([0.0, 1.0])?;
        let side = side.binary("gt", side.like(0.5)).select(side.like(-1.0), side.like(1.0));
        Ok(vec![scene.per_image(side * scene.uniform(self.factor)? * 0.5)].into())
    }

    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let [turn] = draw.take()?;
        let (dtype, axis, unit) = (scene.cx.compute_dtype(), scene.channels(), [0.0, 1.0]);
        let x = in_range(images.cast(dtype), self.range, unit, crate::base::DType::Float32);
        let [hue, saturation, value] = split_channels(rgb_to_hsv(x, axis)?, axis)?;
        let hue = hue + turn.cast(hue.dtype());
        let hue = hue.binary("gt", hue.like(1.0)).select(hue - 1.0, hue);
        let hue = hue.binary("lt", hue.like(0.0)).select(hue + 1.0, hue);
        let turned = hue.graph().concat(&[hue, saturation, value], axis);
        let x = clip(hsv_to_rgb(turned, axis)?, unit);
        Ok(in_range(x, unit, self.range, crate::base::DType::Float32).cast(dtype))
    }
}
