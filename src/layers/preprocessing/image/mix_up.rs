//! `keras.layers.MixUp`: in training, mixes every image, and its label, with another one by a drawn
//! share.
//!
//! Output shape = input shape.

use crate::base::{DType, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::boxes::Boxes;

builder! {
    /// Mixes images, in training.
    MixUp() {
        alpha: 0.2,
        data_format: null,
        seed: null,
    }
}

struct Mix(f64);

impl MixUp {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let alpha = config.float("alpha")?;
        if alpha.is_nan() || alpha <= 0.0 {
            return Err(config.bad("alpha", "a positive number"));
        }
        ImageLayer::boxed("MixUp", config, Mix(alpha))
    }
}

fn mixed<'g>(x: Value<'g>, order: Value<'g>, weight: Value<'g>) -> Value<'g> {
    weight * x + (-weight + 1.0) * x.gather(order, 0)
}

impl Augment for Mix {
    fn inference<'g>(&self, _: &Scene<'_, 'g>, images: Value<'g>) -> Result<Value<'g>> {
        Ok(images)
    }

    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        let order = scene.seeds.next(scene.cx)?.permutation(scene.batch());
        let alpha = scene.cx.graph().scalar(self.0, DType::Float32);
        let weight = scene.seeds.next(scene.cx)?.beta([scene.batch()], alpha, alpha);
        Ok(vec![order, weight].into())
    }

    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let [order, weight] = draw.take()?;
        let dtype = scene.cx.compute_dtype();
        Ok(mixed(images.cast(dtype), order, scene.per_image(weight).cast(dtype)))
    }

    fn labels<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        labels: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let [order, weight] = draw.take()?;
        Ok(mixed(labels.cast(weight.dtype()), order, weight.reshape([scene.batch(), 1])))
    }

    fn masks<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        masks: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let [order, weight] = draw.take()?;
        // Keras takes whole numbers of the flattened masks here; this mixes whole masks.
        Ok(mixed(masks.cast(weight.dtype()), order, scene.per_image(weight)))
    }

    fn boxes<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        boxes: Boxes<'g>,
        draw: &Draw<'g>,
    ) -> Result<Boxes<'g>> {
        let [order, _] = draw.take()?;
        let both =
            |x: Value<'g>, axis: usize| scene.cx.graph().concat(&[x, x.gather(order, 0)], axis);
        Ok(Boxes { boxes: both(boxes.boxes, 1), labels: both(boxes.labels, 0) })
    }
}
