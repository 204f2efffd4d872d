//! `keras.layers.RandomColorDegeneration`: in training, mixes images with their grey by a drawn share.
//!
//! Output shape = input shape.

use crate::base::Result;
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::imaging::rgb_to_grayscale;
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::settings::{clip, factor, sorted_range};

builder! {
    /// Takes colour out of images, in training.
    RandomColorDegeneration(factor) {
        value_range: [0, 255],
        data_format: null,
        seed: null,
    }
}

pub(super) struct Degenerate {
    factor: [f64; 2],
    range: [f64; 2],
}

impl RandomColorDegeneration {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let augment = RandomColorDegeneration::augment(config)?;
        ImageLayer::boxed("RandomColorDegeneration", config, augment)
    }

    pub(super) fn augment(config: &Config) -> Result<Degenerate> {
        let factor = factor(config, "factor", [-1.0, 1.0])?;
        Ok(Degenerate { factor, range: sorted_range(config)? })
    }
}

impl Augment for Degenerate {
    fn inference<'g>(&self, _: &Scene<'_, 'g>, images: Value<'g>) -> Result<Value<'g>> {
        Ok(images)
    }

    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        Ok(vec![scene.per_image(scene.uniform(self.factor)?)].into())
    }

    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let [factor] = draw.take()?;
        let dtype = scene.cx.compute_dtype();
        let x = images.cast(dtype);
        let grey = rgb_to_grayscale(x, scene.channels())?;
        Ok(clip(x + factor.cast(dtype) * (grey - x), self.range))
    }
}
