//! `keras.layers.Equalization`: in training, gives every channel a flat histogram of colours.
//!
//! Output shape = input shape.

use crate::base::{DType, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::histogram::{counts, running_sum};
use crate::layers::preprocessing::image::settings::{BYTES, sorted_range};

builder! {
    /// Equalizes the histogram of images, in training.
    Equalization() {
        value_range: [0, 255],
        bins: 256,
        data_format: null,
    }
}

pub(super) struct Equalize {
    bins: usize,
    range: [f64; 2],
}

impl Equalization {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        ImageLayer::boxed("Equalization", config, Equalization::augment(config)?)
    }

    pub(super) fn augment(config: &Config) -> Result<Equalize> {
        Ok(Equalize { bins: config.size("bins")?, range: sorted_range(config)? })
    }
}

/// Colours in another range, with one multiplication.
fn rescaled(x: Value<'_>, from: [f64; 2], to: [f64; 2]) -> Value<'_> {
    let scale = (to[1] - to[0]) / (from[1] - from[0]);
    x * scale + (to[0] - from[0] * scale)
}

impl Augment for Equalize {
    fn inference<'g>(&self, _: &Scene<'_, 'g>, images: Value<'g>) -> Result<Value<'g>> {
        Ok(images)
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
        // (channels, everything else): a channel of the whole batch has one histogram.
        let x = images.cast(scene.cx.compute_dtype());
        let first = x.move_axis(scene.channels(), 0);
        let (channels, shape) = (first.extent(0), first.shape());
        let x =
            rescaled(first.reshape([channels, shape.len() / channels.max(1)]), self.range, BYTES);
        let last = self.bins as f64 - 1.0;
        let bin = (x.cast(DType::Float32) * last / 255.0).cast(DType::Int32);
        let histogram = counts(bin, self.bins);
        let total = running_sum(histogram);
        let any = total.binary("gt", total.like(0.0));
        // The first filled bin has the smallest sum that is not zero.
        let lowest = any.select(total, total.like(f64::INFINITY)).min(&[1]).reshape([channels, 1]);
        let span = total.narrow(1, self.bins - 1, 1) - lowest;
        let span = span.binary("eq", span.like(0.0)).select(span.like(1.0), span);
        let table = ((total - lowest) * 255.0 / span).unary("round");
        let table = table.maximum(table.scalar_like(0.0)).minimum(table.scalar_like(255.0));
        let index = x / 255.0 * last;
        let index = index.maximum(index.scalar_like(0.0)).minimum(index.scalar_like(last));
        let rows = scene.cx.graph().iota(index.shape(), 0) * self.bins as f64;
        let flat = table.reshape([channels * self.bins]);
        let equalized = flat.gather(index.cast(DType::Int32) + rows, 0).cast(x.dtype());
        let filled = histogram.binary("gt", histogram.like(0.0)).cast(DType::Int32).sum(&[1]);
        let flat_color = filled.binary("le", filled.like(1.0)).reshape([channels, 1]);
        let result = rescaled(flat_color.select(x, equalized), BYTES, self.range);
        Ok(result.reshape(shape).move_axis(0, scene.channels()))
    }
}
