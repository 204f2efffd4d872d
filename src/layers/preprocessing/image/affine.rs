//! What the layers share that move pixels by a drawn affine change of coordinates.

use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::layers::config::Config;
use crate::layers::imaging::{Fill, Sampling, affine_transform};
use crate::layers::preprocessing::image::base::{Augment, Draw, Scene};
use crate::layers::preprocessing::image::boxes::Boxes;

/// Where pixels come from: what one class draws.
pub(super) trait Geometry: Send + Sync {
    /// The class, for errors.
    const CLASS: &'static str;

    /// The rows `[a0, a1, a2, b0, b1, b2]` of a change of coordinates for each image, (batch, 1) in float32:
    /// pixel (x, y) comes from (a0 x + a1 y + a2, b0 x + b1 y + b2).
    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<[Value<'g>; 6]>;

    /// Where boxes come to lie, for drawn rows (batch, 1, 1).
    fn boxes<'g>(&self, _: &Scene<'_, 'g>, _: Boxes<'g>, _: [Value<'g>; 6]) -> Result<Boxes<'g>> {
        Err(Error::Unsupported(format!("{}: bounding boxes in training", Self::CLASS)))
    }
}

/// A layer that moves pixels.
pub(super) struct Affine<G> {
    geometry: G,
    sampling: Sampling,
}

/// The settings `interpolation`, `fill_mode` and `fill_value`, of which layers take fewer than operations.
pub(super) fn sampling(config: &Config) -> Result<Sampling> {
    let sampling = Sampling::from_config(config)?;
    match sampling.fill {
        Fill::Mirror => {
            let expected = "\"reflect\", \"wrap\", \"constant\" or \"nearest\"";
            Err(config.bad("fill_mode", expected))
        }
        _ => Ok(sampling),
    }
}

impl<G: Geometry> Affine<G> {
    /// A layer with the settings that all of these classes have.
    pub fn new(config: &Config, geometry: G) -> Result<Affine<G>> {
        Ok(Affine { geometry, sampling: sampling(config)? })
    }

    fn moved<'g>(
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
        sampling: Sampling,
    ) -> Result<Value<'g>> {
        let rows: [Value<'g>; 6] = draw.take()?;
        let zero = rows[0].like(0.0);
        let columns: Vec<Value<'g>> = rows.into_iter().chain([zero, zero]).collect();
        let matrix = images.graph().concat(&columns, 1);
        Ok(scene.format.restore(affine_transform(scene.format.to_last(images), matrix, sampling)?))
    }
}

impl<G: Geometry> Augment for Affine<G> {
    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        Ok(self.geometry.draw(scene)?.map(|row| row.cast(DType::Float32)).to_vec().into())
    }

    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let images = images.cast(scene.cx.compute_dtype());
        Affine::<G>::moved(scene, images, draw, self.sampling)
    }

    fn masks<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        masks: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let nearest = Sampling { linear: false, ..self.sampling };
        Affine::<G>::moved(scene, masks, draw, nearest)
    }

    fn boxes<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        boxes: Boxes<'g>,
        draw: &Draw<'g>,
    ) -> Result<Boxes<'g>> {
        let rows: [Value<'g>; 6] = draw.take()?;
        let rows = rows.map(|row| row.reshape([scene.batch(), 1, 1]));
        self.geometry.boxes(scene, boxes, rows)
    }
}
