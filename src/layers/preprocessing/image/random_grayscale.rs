//! `keras.layers.RandomGrayscale`: in training, turns a share of the images grey.
//!
//! Output shape = input shape.

use crate::base::Result;
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::imaging::rgb_to_grayscale;
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};

builder! {
    /// Turns some images grey, in training.
    RandomGrayscale() {
        factor: 0.5,
        data_format: null,
        seed: null,
    }
}

struct Grey(f64);

impl RandomGrayscale {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let factor = config.float("factor")?;
        if !(0.0..=1.0).contains(&factor) {
            return Err(config.bad("factor", "a number from 0 to 1"));
        }
        ImageLayer::boxed("RandomGrayscale", config, Grey(factor))
    }
}

impl Augment for Grey {
    fn inference<'g>(&self, _: &Scene<'_, 'g>, images: Value<'g>) -> Result<Value<'g>> {
        Ok(images)
    }

    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        let draw = scene.uniform([0.0, 1.0])?;
        Ok(vec![scene.per_image(draw.binary("lt", draw.like(self.0)))].into())
    }

    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let [grey] = draw.take()?;
        Ok(grey.select(rgb_to_grayscale(images, scene.channels())?, images))
    }
}
