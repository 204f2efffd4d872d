//! `keras.layers.RandomSaturation`: in training, multiplies the saturation of images by a drawn number.
//!
//! Output shape = input shape.

use crate::base::Result;
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::imaging::{hsv_to_rgb, rgb_to_hsv, split_channels};
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::settings::{clip, factor, sorted_range};

builder! {
    /// Changes the saturation of images, in training.
    RandomSaturation(factor) {
        value_range: [0, 255],
        data_format: null,
        seed: null,
    }
}

pub(super) struct Saturate {
    factor: [f64; 2],
    range: [f64; 2],
}

/// Keras's fuzz factor.
const EPSILON: f64 = 1e-7;

impl RandomSaturation {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        ImageLayer::boxed("RandomSaturation", config, RandomSaturation::augment(config)?)
    }

    pub(super) fn augment(config: &Config) -> Result<Saturate> {
        let factor = factor(config, "factor", [-1.0, 1.0])?;
        Ok(Saturate { factor, range: sorted_range(config)? })
    }
}

impl Augment for Saturate {
    fn inference<'g>(&self, _: &Scene<'_, 'g>, images: Value<'g>) -> Result<Value<'g>> {
        Ok(images)
    }

    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        let factor = scene.uniform(self.factor)?;
        Ok(vec![scene.per_image(factor / (-factor + 1.0 + EPSILON))].into())
    }

    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let [factor] = draw.take()?;
        let axis = scene.channels();
        let [hue, saturation, value] = split_channels(rgb_to_hsv(images, axis)?, axis)?;
        let saturation = saturation * factor.cast(scene.cx.compute_dtype()).cast(hue.dtype());
        let changed = [hue, clip(saturation, self.range), value];
        hsv_to_rgb(hue.graph().concat(&changed, axis), axis)
    }
}
