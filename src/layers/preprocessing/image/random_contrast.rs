//! `keras.layers.RandomContrast`: in training, moves colours away from their channel's mean, or
//! nearer to it, by a drawn factor.
//!
//! Output shape = input shape.

use crate::base::Result;
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::settings::{clip, factor, value_range};

builder! {
    /// Changes the contrast of images, in training.
    RandomContrast(factor) {
        value_range: [0, 255],
        seed: null,
        data_format: null,
    }
}

pub(super) struct Contrast {
    factor: [f64; 2],
    range: [f64; 2],
}

impl RandomContrast {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        ImageLayer::boxed("RandomContrast", config, RandomContrast::augment(config)?)
    }

    pub(super) fn augment(config: &Config) -> Result<Contrast> {
        let factor = factor(config, "factor", [0.0, 1.0])?;
        Ok(Contrast { factor, range: value_range(config)? })
    }
}

impl Augment for Contrast {
    fn inference<'g>(&self, _: &Scene<'_, 'g>, images: Value<'g>) -> Result<Value<'g>> {
        Ok(images)
    }

    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        let (shape, dtype) = ([scene.batch(), 1, 1, 1], scene.cx.compute_dtype());
        let key = scene.seeds.next(scene.cx)?;
        let [low, high] = self.factor;
        Ok(vec![key.uniform(shape, 1.0 - low, 1.0 + high, dtype)].into())
    }

    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let [factor] = draw.take()?;
        let x = images.cast(scene.cx.compute_dtype());
        let axes = scene.axes();
        let mean = x.mean(&axes).keep_axes(&x.shape(), &axes);
        Ok(clip((x - mean) * factor + mean, self.range))
    }
}
