//! `keras.layers.RandomPosterization`: in training, keeps only a drawn number of bits of every colour.
//!
//! Output shape = input shape.

use crate::base::{DType, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::settings::{BYTES, factor, in_range, sorted_range};

builder! {
    /// Reduces the number of colours, in training.
    RandomPosterization(factor) {
        value_range: [0, 255],
        data_format: null,
        seed: null,
    }
}

pub(super) struct Posterize {
    bits: [f64; 2],
    range: [f64; 2],
}

impl RandomPosterization {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let augment = RandomPosterization::augment(config)?;
        ImageLayer::boxed("RandomPosterization", config, augment)
    }

    pub(super) fn augment(config: &Config) -> Result<Posterize> {
        let bits = factor(config, "factor", [1.0, 8.0])?;
        Ok(Posterize { bits, range: sorted_range(config)? })
    }
}

impl Augment for Posterize {
    fn inference<'g>(&self, _: &Scene<'_, 'g>, images: Value<'g>) -> Result<Value<'g>> {
        Ok(images)
    }

    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        let [low, high] = self.bits.map(|bits| bits as i32);
        let bits = match low == high {
            true => {
                scene.cx.graph().scalar(f64::from(low), DType::Int32).broadcast([scene.batch()])
            }
            false => scene.seeds.next(scene.cx)?.randint8([scene.batch()], low, high),
        };
        // What the lowest kept bit is worth.
        let lost = -bits.cast(DType::Float32) + 8.0;
        let step = lost.like(2.0).binary("pow", lost);
        Ok(vec![scene.per_image(step)].into())
    }

    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let [step] = draw.take()?;
        let dtype = scene.cx.compute_dtype();
        let x = in_range(images, self.range, BYTES, dtype).cast(DType::UInt8);
        let step = step.cast(DType::UInt8);
        let kept = x.binary("floor_div", step) * step;
        Ok(in_range(kept.cast(dtype), BYTES, self.range, dtype))
    }
}
