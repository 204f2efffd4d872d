//! `keras.layers.RandomGaussianBlur`: in training, blurs some images by a drawn amount.
//!
//! Output shape = input shape.

use crate::base::Result;
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::imaging::gaussian_blur;
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::settings::{clip, factor, value_range};

builder! {
    /// Blurs some images, in training.
    RandomGaussianBlur() {
        factor: 1.0,
        kernel_size: 3,
        sigma: 1.0,
        value_range: [0, 255],
        data_format: null,
        seed: null,
    }
}

struct Blur {
    factor: [f64; 2],
    size: [usize; 2],
    sigma: [f64; 2],
    range: [f64; 2],
}

impl RandomGaussianBlur {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let size = config.sizes("kernel_size", 2)?;
        if size.iter().any(|n| n % 2 == 0) {
            return Err(config.bad("kernel_size", "odd numbers"));
        }
        let blur = Blur {
            factor: factor(config, "factor", [0.0, 1.0])?,
            size: [size[0], size[1]],
            sigma: factor(config, "sigma", [0.0, 1.0])?,
            range: value_range(config)?,
        };
        ImageLayer::boxed("RandomGaussianBlur", config, blur)
    }
}

impl Augment for Blur {
    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        let chosen = scene.chosen(self.factor)?;
        let key = scene.seeds.next(scene.cx)?;
        let sigma = key.uniform([2], self.sigma[0], self.sigma[1], scene.cx.compute_dtype()) + 1e-6;
        Ok(vec![chosen, sigma].into())
    }

    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let [chosen, sigma] = draw.take()?;
        let x = images.cast(scene.cx.compute_dtype());
        let sigma = [0, 1].map(|i| sigma.narrow(0, i, 1).reshape([]));
        let blurred = gaussian_blur(scene.format.to_last(x), self.size, sigma)?;
        Ok(clip(chosen.select(scene.format.restore(blurred), x), self.range))
    }
}
