//! `keras.layers.AutoContrast`: stretches the colours of every channel to the whole range.
//!
//! Output shape = input shape.

use crate::base::{DType, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::settings::{BYTES, clip, in_range, sorted_range};

builder! {
    /// Stretches the colours of images.
    AutoContrast() {
        value_range: [0, 255],
        data_format: null,
    }
}

pub(super) struct Stretch([f64; 2]);

impl AutoContrast {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        ImageLayer::boxed("AutoContrast", config, AutoContrast::augment(config)?)
    }

    pub(super) fn augment(config: &Config) -> Result<Stretch> {
        sorted_range(config).map(Stretch)
    }
}

impl Augment for Stretch {
    fn always(&self) -> bool {
        true
    }

    fn draw<'g>(&self, _: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        Ok(Draw::default())
    }

    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        _: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let dtype = scene.cx.compute_dtype();
        // Integers are stretched as floats, which they stay.
        let float = if dtype.is_float() { dtype } else { DType::Float32 };
        let original = images.cast(float);
        let x = in_range(images, self.0, BYTES, dtype).cast(dtype).cast(float);
        // Over the second and third axis, whatever the data format, as in Keras.
        let (axes, shape) = ([1, 2], x.shape());
        let low = x.min(&axes).keep_axes(&shape, &axes);
        let high = x.max(&axes).keep_axes(&shape, &axes);
        let scale = low.like(255.0) / (high - low);
        let stretched = in_range(clip(x * scale + -low * scale, BYTES), BYTES, self.0, dtype);
        Ok(stretched.unary("isnan").select(original, stretched))
    }
}
