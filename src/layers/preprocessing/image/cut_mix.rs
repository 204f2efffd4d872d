//! `keras.layers.CutMix`: in training, puts a drawn rectangle of another image into every image, and
//! mixes the labels by area.
//!
//! Output shape = input shape.

use crate::base::{DType, Error, Result, Shape};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::boxes::Boxes;
use crate::layers::preprocessing::image::rectangle::{inside, span};
use crate::layers::preprocessing::image::settings::factor;

builder! {
    /// Mixes rectangles of images, in training.
    CutMix() {
        factor: 1.0,
        seed: null,
        data_format: null,
    }
}

struct Cut([f64; 2]);

impl CutMix {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        ImageLayer::boxed("CutMix", config, Cut(factor(config, "factor", [0.0, 1.0])?))
    }
}

impl Augment for Cut {
    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        if scene.single {
            return Ok(Draw::default());
        }
        let (dtype, batch) = (scene.cx.compute_dtype(), scene.batch());
        let [low, high] = self.0;
        let key = scene.seeds.next(scene.cx)?;
        let alpha = key.uniform(Shape::from([]), low, high, DType::Float32) + 1e-6;
        let share = scene.seeds.next(scene.cx)?.beta([batch], alpha, alpha).cast(dtype);
        let ratio = (-share + 1.0).sqrt();
        let [height, width] = scene.size();
        let (x, y) = (span(scene, width, ratio)?, span(scene, height, ratio)?);
        let area = (x[1] - x[0]) * (y[1] - y[0]);
        let weight = -(area / (width * height) as f64) + 1.0;
        let order = scene.seeds.next(scene.cx)?.permutation(batch);
        Ok(vec![order, inside(scene, x, y), weight.reshape([batch, 1])].into())
    }

    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let x = images.cast(scene.cx.compute_dtype());
        if draw.values.is_empty() {
            return Ok(x);
        }
        let [order, inside, _] = draw.take()?;
        Ok(inside.select(x.gather(order, 0), x))
    }

    fn masks<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        masks: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        self.images(scene, masks, draw)
    }

    fn labels<'g>(
        &self,
        _: &Scene<'_, 'g>,
        labels: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        if draw.values.is_empty() {
            return Ok(labels);
        }
        let [order, _, weight] = draw.take()?;
        let labels = labels.cast(weight.dtype());
        Ok(weight * labels + (-weight + 1.0) * labels.gather(order, 0))
    }

    fn boxes<'g>(&self, _: &Scene<'_, 'g>, _: Boxes<'g>, _: &Draw<'g>) -> Result<Boxes<'g>> {
        Err(Error::Unsupported("CutMix of bounding boxes: Keras does not define it".into()))
    }
}
