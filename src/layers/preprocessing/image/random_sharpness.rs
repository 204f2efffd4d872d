//! `keras.layers.RandomSharpness`: in training, mixes images with a smoothed form of them by a drawn share.
//!
//! Output shape = input shape.

use crate::base::Result;
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::imaging::depthwise;
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::settings::{clip, factor, sorted_range};
use crate::tensor::Tensor;

builder! {
    /// Changes the sharpness of images, in training.
    RandomSharpness(factor) {
        value_range: [0, 255],
        data_format: null,
        seed: null,
    }
}

pub(super) struct Sharpen {
    factor: [f64; 2],
    range: [f64; 2],
}

impl RandomSharpness {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        ImageLayer::boxed("RandomSharpness", config, RandomSharpness::augment(config)?)
    }

    pub(super) fn augment(config: &Config) -> Result<Sharpen> {
        let factor = factor(config, "factor", [0.0, 1.0])?;
        Ok(Sharpen { factor, range: sorted_range(config)? })
    }
}

impl Augment for Sharpen {
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
        let x = scene.format.to_last(images.cast(dtype));
        let (edge, middle) = (1.0 / 13.0, 5.0 / 13.0);
        let mut filter = [edge; 9];
        filter[4] = middle;
        let filter = scene.cx.graph().constant(Tensor::new([3, 3], &filter)?.cast(dtype));
        let smooth = depthwise(x, filter)?;
        let sharp = x + (-(factor * 2.0).cast(dtype) + 1.0) * (smooth - x);
        Ok(scene.format.restore(clip(sharp, self.range)))
    }
}
