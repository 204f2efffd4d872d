//! `keras.layers.RandomPerspective`: in training, moves the corners of some images by drawn shares.
//!
//! Output shape = input shape.

use crate::base::{Error, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::imaging::{Fill, Sampling, in_perspective, perspective_transform};
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::boxes::{BoxFormat, Boxes, joined, numbers};
use crate::layers::preprocessing::image::settings::factor;
use crate::tensor::Tensor;

builder! {
    /// Changes the perspective of images, in training.
    RandomPerspective() {
        factor: 1.0,
        scale: 1.0,
        interpolation: "bilinear",
        fill_value: 0.0,
        seed: null,
        data_format: null,
    }
}

struct Perspective {
    factor: [f64; 2],
    scale: f64,
    sampling: Sampling,
}

impl RandomPerspective {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let scale = config.float("scale")?;
        if !(0.0..=1.0).contains(&scale) {
            return Err(config.bad("scale", "a number from 0 to 1"));
        }
        let linear = config.choice("interpolation", &[("nearest", false), ("bilinear", true)])?;
        let fill = Fill::Constant(config.float("fill_value")?);
        let factor = factor(config, "factor", [0.0, 1.0])?;
        let sampling = Sampling { linear, fill };
        ImageLayer::boxed("RandomPerspective", config, Perspective { factor, scale, sampling })
    }
}

impl Perspective {
    fn changed<'g>(
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
        sampling: Sampling,
    ) -> Result<Value<'g>> {
        let [chosen, start, end] = draw.take()?;
        let last = scene.format.to_last(images);
        let changed = perspective_transform(last, [start, end], sampling)?;
        Ok(chosen.select(scene.format.restore(changed), images))
    }
}

impl Augment for Perspective {
    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        let chosen = scene.chosen(self.factor)?;
        let (key, dtype, batch) =
            (scene.seeds.next(scene.cx)?, scene.cx.compute_dtype(), scene.batch());
        let half = 0.5 * self.scale;
        let shares = key.uniform([batch, 4, 2], -half, half, dtype);
        let [bottom, right] = scene.size().map(|extent| extent as f32 - 1.0);
        let corners = [0.0, 0.0, right, 0.0, 0.0, bottom, right, bottom];
        let corners = scene.cx.graph().constant(Tensor::new([1, 4, 2], &corners)?).cast(dtype);
        let start = corners.broadcast([batch, 4, 2]);
        Ok(vec![chosen, start, start + start * shares].into())
    }

    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let images = images.cast(scene.cx.compute_dtype());
        Perspective::changed(scene, images, draw, self.sampling)
    }

    fn masks<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        masks: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let nearest = Sampling { linear: false, ..self.sampling };
        Perspective::changed(scene, masks, draw, nearest)
    }

    fn boxes<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        boxes: Boxes<'g>,
        draw: &Draw<'g>,
    ) -> Result<Boxes<'g>> {
        let [chosen, start, end] = draw.take()?;
        let (format, size) = (scene.needed_box_format()?, scene.size().map(|d| d as f64));
        let edges = format.convert(boxes.boxes, BoxFormat::XYXY, size);
        let [x1, y1, x2, y2] = numbers(edges);
        let corners = [(x1, y1), (x2, y2), (x1, y2), (x2, y1)];
        let moved = in_perspective([start, end], &corners)?;
        let around = |axis: usize, f: fn(Value<'g>, Value<'g>) -> Value<'g>| {
            let places = moved.iter().map(|corner| corner[axis]);
            places.reduce(f).ok_or_else(|| Error::Internal("a box without corners".into()))
        };
        let (low, high) = (Value::minimum, Value::maximum);
        let around = joined([around(0, low)?, around(1, low)?, around(0, high)?, around(1, high)?]);
        let moved = chosen.reshape([scene.batch(), 1, 1]).select(around, edges);
        // Keras leaves them as edges in pixels, whatever the format.
        Ok(boxes.with(moved).clipped(size))
    }
}
