//! `keras.layers.Solarization`: in training, brightens images and inverts what is brighter than a
//! threshold; both amounts are drawn.
//!
//! Output shape = input shape.

use crate::base::Result;
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::{Config, Json};
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::settings::{
    BYTES, clip, in_range, sorted_range, strict_factor,
};

builder! {
    /// Inverts bright colours, in training.
    Solarization() {
        addition_factor: 0.0,
        threshold_factor: 0.0,
        value_range: [0, 255],
        seed: null,
        data_format: null,
    }
}

pub(super) struct Solarize {
    addition: [f64; 2],
    threshold: [f64; 2],
    range: [f64; 2],
}

impl Solarization {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        ImageLayer::boxed("Solarization", config, Solarization::augment(config)?)
    }

    pub(super) fn augment(config: &Config) -> Result<Solarize> {
        let factor = |key: &str| -> Result<[f64; 2]> {
            let [low, high] = strict_factor(config, key, [0.0, 1.0])?;
            // One number stands for 0 to it.
            Ok(if matches!(config.get(key), Json::Array(_)) { [low, high] } else { [0.0, high] })
        };
        Ok(Solarize {
            addition: factor("addition_factor")?,
            threshold: factor("threshold_factor")?,
            range: sorted_range(config)?,
        })
    }
}

impl Augment for Solarize {
    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        let dtype = scene.cx.compute_dtype();
        let draw = |[low, high]: [f64; 2]| -> Result<Value<'g>> {
            let key = scene.seeds.next(scene.cx)?;
            Ok(key.uniform([scene.batch(), 1, 1, 1], low, high * 255.0, dtype))
        };
        Ok(vec![draw(self.addition)?, draw(self.threshold)?].into())
    }

    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let [addition, threshold] = draw.take()?;
        let dtype = scene.cx.compute_dtype();
        let x = in_range(images.cast(dtype), self.range, BYTES, dtype);
        let x = clip(x + addition, BYTES);
        let x = x.binary("lt", threshold).select(x, -x + 255.0);
        Ok(in_range(x, BYTES, self.range, dtype))
    }
}
