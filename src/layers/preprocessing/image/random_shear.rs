//! `keras.layers.RandomShear`: in training, shears images by drawn factors.
//!
//! Output shape = input shape.

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
    /// Shears images, in training.
    RandomShear() {
        x_factor: 0.0,
        y_factor: 0.0,
        interpolation: "bilinear",
        fill_mode: "reflect",
        fill_value: 0.0,
        data_format: null,
        seed: null,
    }
}

/// Pixels along one axis for each along the other, from the least to the greatest.
pub(super) struct Shear {
    x: [f64; 2],
    y: [f64; 2],
}

impl RandomShear {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        ImageLayer::boxed("RandomShear", config, RandomShear::augment(config)?)
    }

    pub(super) fn augment(config: &Config) -> Result<Affine<Shear>> {
        let factor = |key: &str| factor(config, key, [-1.0, 1.0]);
        Affine::new(config, Shear { x: factor("x_factor")?, y: factor("y_factor")? })
    }
}

impl Geometry for Shear {
    const CLASS: &'static str = "RandomShear";

    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<[Value<'g>; 6]> {
        let draw = |[low, high]: [f64; 2]| -> Result<Value<'g>> {
            let key = scene.seeds.next(scene.cx)?;
            Ok(key.uniform([scene.batch(), 1], low, high, scene.cx.compute_dtype()))
        };
        let turn = draw([0.0, 1.0])?;
        let one = turn.like(1.0);
        let sign = turn.binary("gt", turn.like(0.5)).select(-one, one);
        let (y, x) = (draw(self.y)? * sign, draw(self.x)? * sign);
        let zero = turn.like(0.0);
        Ok([one, x, zero, y, one, zero])
    }

    fn boxes<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        boxes: Boxes<'g>,
        [_, across, _, down, _, _]: [Value<'g>; 6],
    ) -> Result<Boxes<'g>> {
        let (format, size) = (scene.needed_box_format()?, scene.size().map(|d| d as f64));
        let shares = format.convert(boxes.boxes, BoxFormat::REL_XYXY, size);
        let [x1, y1, x2, y2] = numbers(shares);
        // The corner that comes to lie furthest out is the edge of the box.
        let moved = |edge: Value<'g>, by: Value<'g>, a: Value<'g>, b: Value<'g>| {
            let positive = by.binary("gt", by.like(0.0));
            positive.select(edge - by * a, edge - by * b)
        };
        let negative = across.binary("lt", across.like(0.0));
        let (top, bottom) = (|x: Value<'g>| x - across * y1, |x: Value<'g>| x - across * y2);
        let (x1, x2) = (negative.select(top(x1), bottom(x1)), negative.select(bottom(x2), top(x2)));
        let (y1, y2) = (moved(y1, down, x2, x1), moved(y2, down, x1, x2));
        let clipped = boxes.with(joined([x1, y1, x2, y2])).clipped([1.0, 1.0]);
        let back = BoxFormat::REL_XYXY.convert(clipped.boxes, format, size);
        Ok(clipped.with(back))
    }
}
