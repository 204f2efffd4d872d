//! `keras.layers.RandomZoom`: in training, stretches images around their middle by drawn factors.
//!
//! Output shape = input shape.

use crate::base::Result;
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::{Config, Json};
use crate::layers::preprocessing::image::affine::{Affine, Geometry};
use crate::layers::preprocessing::image::base::{ImageLayer, Scene};
use crate::layers::preprocessing::image::boxes::{BoxFormat, Boxes, joined, numbers};
use crate::layers::preprocessing::image::settings::strict_factor;

builder! {
    /// Enlarges or shrinks images, in training.
    RandomZoom(height_factor) {
        width_factor: null,
        fill_mode: "reflect",
        interpolation: "bilinear",
        seed: null,
        fill_value: 0.0,
        data_format: null,
    }
}

/// How much larger the part is that fills an image: along the height, and along the width where that is drawn
/// by itself.
pub(super) struct Zoom {
    height: [f64; 2],
    width: Option<[f64; 2]>,
}

impl RandomZoom {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let factor = |key: &str| {
            let range = strict_factor(config, key, [-1.0, 1.0])?;
            let whole = config.get(key).as_f64() == Some(-1.0)
                || config.get(key).as_array().is_some_and(|pair| pair.contains(&(-1.0).into()));
            match whole {
                true => Err(config.bad(key, "numbers above -1, up to 1")),
                false => Ok(range.map(|f| 1.0 + f)),
            }
        };
        let width = match config.get("width_factor") {
            Json::Null => None,
            _ => Some(factor("width_factor")?),
        };
        let zoom = Zoom { height: factor("height_factor")?, width };
        ImageLayer::boxed("RandomZoom", config, Affine::new(config, zoom)?)
    }
}

impl Geometry for Zoom {
    const CLASS: &'static str = "RandomZoom";

    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<[Value<'g>; 6]> {
        let draw = |range| Ok(scene.uniform(range)?.reshape([scene.batch(), 1]));
        let down = draw(self.height)?;
        let across = self.width.map_or(Ok(down), draw)?;
        let [height, width] = scene.size();
        let offset = |extent: usize, zoom: Value<'g>| (-zoom + 1.0) * ((extent as f64 - 1.0) / 2.0);
        let zero = down.like(0.0);
        Ok([across, zero, offset(width, across), zero, down, offset(height, down)])
    }

    fn boxes<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        boxes: Boxes<'g>,
        [across, _, left, _, down, top]: [Value<'g>; 6],
    ) -> Result<Boxes<'g>> {
        let (format, size) = (scene.needed_box_format()?, scene.size().map(|d| d as f64));
        let edges = numbers(format.convert(boxes.boxes, BoxFormat::XYXY, size));
        let (right, bottom) = (across * size[1] + left, down * size[0] + top);
        let inside = |edge: Value<'g>, low: Value<'g>, high: Value<'g>| {
            (edge.maximum(low).minimum(high) - low) / (high - low)
        };
        let [x1, y1, x2, y2] = edges;
        let shares = joined([
            inside(x1, left, right),
            inside(y1, top, bottom),
            inside(x2, left, right),
            inside(y2, top, bottom),
        ]);
        let clipped = boxes.with(shares).clipped([1.0, 1.0]);
        let back = BoxFormat::REL_XYXY.convert(clipped.boxes, format, size);
        Ok(clipped.with(back))
    }
}
