//! `keras.layers.RandomBrightness`: in training, adds a drawn share of the range of colours.
//!
//! Output shape = input shape.

use crate::base::Result;
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::settings::{clip, factor, sorted_range};

builder! {
    /// Brightens or darkens images, in training.
    RandomBrightness(factor) {
        value_range: [0, 255],
        seed: null,
        data_format: null,
    }
}

pub(super) struct Brighten {
    factor: [f64; 2],
    range: [f64; 2],
}

impl RandomBrightness {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        ImageLayer::boxed("RandomBrightness", config, RandomBrightness::augment(config)?)
    }

    pub(super) fn augment(config: &Config) -> Result<Brighten> {
        let factor = factor(config, "factor", [-1.0, 1.0])?;
        Ok(Brighten { factor, range: sorted_range(config)? })
    }
}

impl Augment for Brighten {
    fn inference<'g>(&self, _: &Scene<'_, 'g>, images: Value<'g>) -> Result<Value<'g>> {
        Ok(images)
    }

    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        let delta = scene.uniform(self.factor)? * (self.range[1] - self.range[0]);
        Ok(vec![scene.per_image(delta)].into())
    }

    fn images<'g>(
        &self,
        _: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let [delta] = draw.take()?;
        Ok(clip(images + delta.cast(images.dtype()), self.range))
    }
}
