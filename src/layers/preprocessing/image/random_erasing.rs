//! `keras.layers.RandomErasing`: in training, fills a drawn rectangle of some images.
//!
//! Output shape = input shape.

use crate::base::Result;
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::{Config, Json};
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::rectangle::{inside, span};
use crate::layers::preprocessing::image::settings::{clip, factor, value_range};
use crate::tensor::Tensor;

builder! {
    /// Erases a rectangle of some images, in training.
    RandomErasing() {
        factor: 1.0,
        scale: [0.02, 0.33],
        fill_value: null,
        value_range: [0, 255],
        seed: null,
        data_format: null,
    }
}

/// What a rectangle is filled with.
enum Paint {
    Noise,
    Color(Vec<f64>),
}

struct Erase {
    factor: [f64; 2],
    scale: [f64; 2],
    paint: Paint,
    range: [f64; 2],
}

impl RandomErasing {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let bad = || config.bad("fill_value", "a number, three numbers or null");
        let paint = match config.get("fill_value") {
            Json::Null => Paint::Noise,
            Json::Array(items) if items.len() == 3 => {
                let color: Option<Vec<f64>> = items.iter().map(Json::as_f64).collect();
                Paint::Color(color.ok_or_else(bad)?)
            }
            Json::Number(_) => Paint::Color(vec![config.float("fill_value")?]),
            _ => return Err(bad()),
        };
        let erase = Erase {
            factor: factor(config, "factor", [0.0, 1.0])?,
            scale: factor(config, "scale", [0.0, 1.0])?,
            paint,
            range: value_range(config)?,
        };
        ImageLayer::boxed("RandomErasing", config, erase)
    }
}

impl Augment for Erase {
    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        let dtype = scene.cx.compute_dtype();
        let key = scene.seeds.next(scene.cx)?;
        let area = key.uniform([scene.batch(), 2], self.scale[0], self.scale[1], dtype);
        let side = |i: usize| area.sqrt().narrow(1, i, 1).reshape([scene.batch()]);
        let [height, width] = scene.size();
        let (x, y) = (span(scene, width, side(0))?, span(scene, height, side(1))?);
        let mask = inside(scene, x, y);
        let chosen = scene.chosen(self.factor)?;
        let paint = match &self.paint {
            Paint::Noise => {
                scene.seeds.next(scene.cx)?.normal(scene.shape.clone(), dtype) * self.range[1]
            }
            Paint::Color(color) => {
                // As in Keras, three numbers run along the last axis.
                let color = Tensor::new([color.len()], color)?.cast(dtype);
                scene.cx.graph().constant(color)
            }
        };
        Ok(vec![chosen.binary("and", mask), clip(paint, self.range)].into())
    }

    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let [erased, paint] = draw.take()?;
        Ok(erased.select(paint, images.cast(scene.cx.compute_dtype())))
    }
}
