//! `keras.layers.RandomRotation`: in training, turns images around their middle by drawn angles.
//!
//! Output shape = input shape.

use std::f64::consts::PI;

use crate::base::Result;
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::preprocessing::image::affine::{Affine, Geometry};
use crate::layers::preprocessing::image::base::{ImageLayer, Scene};
use crate::layers::preprocessing::image::boxes::{BoxFormat, Boxes, joined, numbers};
use crate::layers::preprocessing::image::settings::factor;

builder! {
    /// Rotates images, in training.
    RandomRotation(factor) {
        fill_mode: "reflect",
        interpolation: "bilinear",
        seed: null,
        fill_value: 0.0,
        data_format: null,
    }
}

/// Shares of a whole turn, from the least to the greatest.
pub(super) struct Rotation([f64; 2]);

impl RandomRotation {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        ImageLayer::boxed("RandomRotation", config, RandomRotation::augment(config)?)
    }

    pub(super) fn augment(config: &Config) -> Result<Affine<Rotation>> {
        Affine::new(config, Rotation(factor(config, "factor", [-1.0, 1.0])?))
    }
}

impl Geometry for Rotation {
    const CLASS: &'static str = "RandomRotation";

    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<[Value<'g>; 6]> {
        let degrees = scene.uniform(self.0.map(|share| share * 360.0))?;
        let angle = degrees.reshape([scene.batch(), 1]) * (PI / 180.0);
        let (cos, sin) = (angle.unary("cos"), angle.unary("sin"));
        let [cy, cx] = scene.size().map(|extent| 0.5 * (extent as f64 - 1.0));
        let offset = |center: f64, a: Value<'g>, b: Value<'g>| -(a * cx) + center - b * cy;
        Ok([cos, -sin, offset(cx, cos, -sin), sin, cos, offset(cy, sin, cos)])
    }

    fn boxes<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        boxes: Boxes<'g>,
        [cos, _, _, sin, _, _]: [Value<'g>; 6],
    ) -> Result<Boxes<'g>> {
        let (format, size) = (scene.needed_box_format()?, scene.size().map(|d| d as f64));
        let [cy, cx] = size.map(|extent| 0.5 * (extent - 1.0));
        // Keras takes the numbers for edges in pixels, whatever the format.
        let [x1, y1, x2, y2] = numbers(boxes.boxes);
        let corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)].map(|(x, y)| {
            let (x, y) = (x - cx, y - cy);
            [cos * x + sin * y + cx, cos * y - sin * x + cy]
        });
        let [a, b, c, d] = corners;
        let of =
            |i: usize, f: fn(Value<'g>, Value<'g>) -> Value<'g>| f(f(a[i], b[i]), f(c[i], d[i]));
        let (low, high) = (Value::minimum, Value::maximum);
        let around = joined([of(0, low), of(1, low), of(0, high), of(1, high)]);
        let clipped = boxes.with(around).clipped(size);
        let back = BoxFormat::XYXY.convert(clipped.boxes, format, size);
        Ok(clipped.with(back))
    }
}
