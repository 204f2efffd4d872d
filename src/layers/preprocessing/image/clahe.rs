//! `keras.layers.ContrastLimitedAdaptiveHistogramEqualization`: equalizes the histogram of every tile
//! of an image, after what is high in it has been spread, and interpolates between tiles.
//!
//! Output shape = input shape.

use crate::base::{DType, Error, Result, Shape};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::imaging::Fill;
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::histogram::{counts, running_sum};
use crate::layers::preprocessing::image::settings::{BYTES, in_range, value_range};

builder! {
    /// Equalizes the histogram of images tile by tile.
    ContrastLimitedAdaptiveHistogramEqualization() {
        value_range: [0, 255],
        clip_limit: 4.0,
        tile_grid_size: [8, 8],
        data_format: null,
    }
}

struct Tiles {
    range: [f64; 2],
    limit: f64,
    grid: [usize; 2],
}

const BINS: usize = 256;

impl ContrastLimitedAdaptiveHistogramEqualization {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let grid = config.sizes("tile_grid_size", 2)?;
        let tiles = Tiles {
            range: value_range(config)?,
            limit: config.float("clip_limit")?,
            grid: [grid[0], grid[1]],
        };
        ImageLayer::boxed("ContrastLimitedAdaptiveHistogramEqualization", config, tiles)
    }
}

impl Tiles {
    /// The tables of all tiles, (batch, rows, columns, channels, 256), of padded images.
    fn tables<'g>(&self, x: Value<'g>, tile: [usize; 2]) -> Value<'g> {
        let (batch, channels) = (x.extent(0), x.extent(3));
        let ([rows, columns], pixels) = (self.grid, tile[0] * tile[1]);
        let tiled = x
            .reshape([batch, rows, tile[0], columns, tile[1], channels])
            .transpose(&[0, 1, 3, 5, 2, 4])
            .reshape([batch * rows * columns * channels, pixels]);
        let mut histogram = counts(tiled.cast(DType::Int32), BINS);
        if self.limit > 0.0 {
            let limit = histogram.scalar_like(self.limit * pixels as f64 / BINS as f64);
            let clipped = histogram.minimum(limit);
            let excess = (histogram - clipped).sum(&[1]).reshape([histogram.extent(0), 1]);
            histogram = clipped + excess / BINS as f64;
        }
        let sums = running_sum(histogram);
        let lowest = sums.min(&[1]).reshape([sums.extent(0), 1]);
        let span = -lowest + pixels as f64;
        let span = span.binary("eq", span.like(0.0)).select(span.like(1.0), span);
        let table = (sums - lowest) * 255.0 / span;
        let table = table.maximum(table.scalar_like(0.0)).minimum(table.scalar_like(255.0));
        table.reshape([batch, rows, columns, channels, BINS])
    }

    /// The values of the pixels of padded images by the tables of the four nearest tiles.
    fn interpolated<'g>(&self, x: Value<'g>, tables: Value<'g>, tile: [usize; 2]) -> Value<'g> {
        let (graph, shape) = (x.graph(), x.shape());
        let [rows, columns] = self.grid;
        let channels = x.extent(3);
        let pixel = x.maximum(x.scalar_like(0.0)).minimum(x.scalar_like(255.0));
        let index = |axis: usize| graph.iota(shape.clone(), axis);
        let base = index(0) * (rows * columns * channels * BINS) as f64
            + index(3) * BINS as f64
            + pixel.cast(DType::Int32);
        // In tiles, measured from the middle of the first one.
        let place = |axis: usize, tile: usize| {
            let tile = tile as f64;
            let at = (index(axis).cast(DType::Float32) - tile / 2.0) / tile + 1.0;
            let low = at.unary("floor");
            (low.cast(DType::Int32), at - low)
        };
        let ((y, wy), (x, wx)) = (place(1, tile[0]), place(2, tile[1]));
        let within = |i: Value<'g>, count: usize| {
            (i - 1.0).maximum(i.scalar_like(0.0)).minimum(i.scalar_like(count as f64 - 1.0))
        };
        let flat = tables.reshape([tables.shape().len()]);
        let stride = (channels * BINS) as f64;
        let look = |dy: f64, dx: f64| {
            let row = within(y + dy, rows) * (columns as f64 * stride);
            flat.gather(base + row + within(x + dx, columns) * stride, 0)
        };
        let mix = |a: Value<'g>, b: Value<'g>, w: Value<'g>| a * (-w + 1.0) + b * w;
        mix(mix(look(0.0, 0.0), look(0.0, 1.0), wx), mix(look(1.0, 0.0), look(1.0, 1.0), wx), wy)
    }
}

/// The axis made longer, by its elements in opposite order behind the last.
fn symmetric<'g>(x: Value<'g>, axis: usize, extent: usize) -> Value<'g> {
    if x.extent(axis) == extent {
        return x;
    }
    let index = x.graph().iota([extent], 0);
    x.gather(Fill::Reflect.fix(index, x.extent(axis)), axis)
}

impl Augment for Tiles {
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
        let keep = images.dtype();
        let x = scene.format.to_last(images);
        let (height, width) = (x.extent(1), x.extent(2));
        if height == 0 || width == 0 {
            let found = x.shape().to_string();
            return Err(Error::shape("histogram of images", found, "images with pixels"));
        }
        let x = in_range(x, self.range, BYTES, DType::Float32).cast(DType::Float32);
        // What the tables take: also bounds all products of these.
        let [rows, columns] = self.grid;
        Shape::from([x.extent(0), rows, columns, x.extent(3), BINS]).checked_len()?;
        let tile = [height.div_ceil(self.grid[0]), width.div_ceil(self.grid[1])];
        let extents = [tile[0].saturating_mul(self.grid[0]), tile[1].saturating_mul(self.grid[1])];
        let padded = symmetric(symmetric(x, 1, extents[0]), 2, extents[1]);
        let y = self.interpolated(padded, self.tables(padded, tile), tile);
        let y = y.narrow(1, 0, height).narrow(2, 0, width);
        let y = in_range(y, BYTES, self.range, DType::Float32).cast(keep);
        Ok(scene.format.restore(y))
    }
}
