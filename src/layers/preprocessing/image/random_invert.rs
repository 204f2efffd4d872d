//! `keras.layers.RandomInvert`: in training, inverts the colours of some images.
//!
//! Output shape = input shape.

use crate::base::Result;
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::settings::{factor, value_range};

builder! {
    /// Inverts some images, in training.
    RandomInvert() {
        factor: 1.0,
        value_range: [0, 255],
        seed: null,
        data_format: null,
    }
}

struct Invert {
    factor: [f64; 2],
    range: [f64; 2],
}

impl RandomInvert {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let factor = factor(config, "factor", [0.0, 1.0])?;
        ImageLayer::boxed("RandomInvert", config, Invert { factor, range: value_range(config)? })
    }
}

impl Augment for Invert {
    fn inference<'g>(&self, _: &Scene<'_, 'g>, images: Value<'g>) -> Result<Value<'g>> {
        Ok(images)
    }

    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        Ok(vec![scene.chosen(self.factor)?].into())
    }

    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let [inverted] = draw.take()?;
        let x = images.cast(scene.cx.compute_dtype());
        Ok(inverted.select(-x + self.range[1], x))
    }
}
