//! `keras.layers.RandomElasticTransform`: in training, distorts some images by smooth noise of a drawn
//! strength.
//!
//! Output shape = input shape.

use crate::base::{Error, Result, Shape};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::imaging::{Elastic, Sampling, elastic_transform};
use crate::layers::preprocessing::image::affine::sampling;
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::boxes::Boxes;
use crate::layers::preprocessing::image::settings::{clip, factor, value_range};

builder! {
    /// Distorts images, in training.
    RandomElasticTransform() {
        factor: 1.0,
        scale: 1.0,
        interpolation: "bilinear",
        fill_mode: "reflect",
        fill_value: 0.0,
        value_range: [0, 255],
        seed: null,
        data_format: null,
    }
}

struct Distortion {
    factor: [f64; 2],
    scale: [f64; 2],
    range: [f64; 2],
    sampling: Sampling,
}

impl RandomElasticTransform {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let distortion = Distortion {
            factor: factor(config, "factor", [0.0, 1.0])?,
            scale: factor(config, "scale", [0.0, 1.0])?,
            range: value_range(config)?,
            sampling: sampling(config)?,
        };
        ImageLayer::boxed("RandomElasticTransform", config, distortion)
    }
}

impl Distortion {
    fn distorted<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
        sampling: Sampling,
    ) -> Result<Value<'g>> {
        if draw.values.is_empty() {
            return Ok(images);
        }
        let [chosen, strength, key] = draw.take()?;
        let [height, width] = scene.size();
        let (long, short) = (height.max(width) as f64, height.min(width) as f64);
        let elastic = Elastic {
            alpha: strength * 0.1 * long,
            sigma: strength * 0.05 * short,
            most: self.scale[1] * 0.05 * short,
        };
        let moved = elastic_transform(scene.format.to_last(images), key, elastic, sampling)?;
        let images = chosen.select(scene.format.restore(moved), images);
        Ok(clip(images, self.range).cast(scene.cx.compute_dtype()))
    }
}

impl Augment for Distortion {
    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        if self.scale[1] == 0.0 || self.factor[1] == 0.0 {
            return Ok(Draw::default());
        }
        let chosen = scene.chosen(self.factor)?;
        let [low, high] = self.scale;
        let key = scene.seeds.next(scene.cx)?;
        let strength = key.uniform(Shape::scalar(), low, high, scene.cx.compute_dtype());
        Ok(vec![chosen, strength, scene.seeds.next(scene.cx)?].into())
    }

    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let images = images.cast(scene.cx.compute_dtype());
        self.distorted(scene, images, draw, self.sampling)
    }

    fn masks<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        masks: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let &[chosen, strength, _] = draw.values.as_slice() else { return Ok(masks) };
        // Keras draws other noise for masks than for their images.
        let draw = vec![chosen, strength, scene.seeds.next(scene.cx)?].into();
        self.distorted(scene, masks, &draw, Sampling { linear: false, ..self.sampling })
    }

    fn boxes<'g>(&self, _: &Scene<'_, 'g>, _: Boxes<'g>, _: &Draw<'g>) -> Result<Boxes<'g>> {
        let what = "RandomElasticTransform: bounding boxes in training, which Keras does not move";
        Err(Error::Unsupported(what.into()))
    }
}
