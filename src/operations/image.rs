//! `keras.ops.image`.

use crate::base::{DType, Error, Result, Shape};
use crate::graph::Value;
use crate::layers::Resize as Settings;
use crate::layers::imaging::{self, Along, Fill, Sampling};
use crate::layers::spatial::DataFormat;
use crate::operations::call::Call;
use crate::operations::operations;

operations! {
    /// Functions of images.
    IMAGE:
    Resize(images) {
        size: null,
        interpolation: "bilinear",
        antialias: false,
        crop_to_aspect_ratio: false,
        pad_to_aspect_ratio: false,
        fill_mode: "constant",
        fill_value: 0.0,
        data_format: null
    } |c| {
        let size = c.config.sizes("size", 2)?;
        Settings::from_config(c.config, [size[0], size[1]])?.apply(c.value(0)?)
    };
    RGBToGrayscale(images) { data_format: null } |c| {
        let x = c.value(0)?;
        imaging::rgb_to_grayscale(x, channels(c, x)?)
    };
    RGBToHSV(images) { data_format: null } |c| {
        let x = c.value(0)?;
        imaging::rgb_to_hsv(x, channels(c, x)?)
    };
    HSVToRGB(images) { data_format: null } |c| {
        let x = c.value(0)?;
        imaging::hsv_to_rgb(x, channels(c, x)?)
    };
    AffineTransform(images, transform)
        { interpolation: "bilinear", fill_mode: "constant", fill_value: 0, data_format: null } |c| {
        let (transform, sampling) = (c.float(1)?, Sampling::from_config(c.config)?);
        let transform = match transform.rank() {
            1 => transform.reshape([1, transform.extent(0)]),
            _ => transform,
        };
        batched(c, |x| imaging::affine_transform(x, transform, sampling))
    };
    MapCoordinates(inputs, coordinates) { order: null, fill_mode: "constant", fill_value: 0 } |c| {
        let (x, coordinates) = (c.value(0)?, c.value(1)?);
        let linear = match c.config.int("order")? {
            0 => false,
            1 => true,
            _ => return Err(c.config.bad("order", "0 or 1")),
        };
        let sampling = Sampling { linear, fill: Fill::from_config(c.config)? };
        let shape: Shape = coordinates.shape().iter().skip(1).copied().collect();
        let along = |i: usize| {
            Along::Between(coordinates.narrow(0, i, 1).reshape(shape.clone()).cast(DType::Float32))
        };
        let positions: Vec<Along<'_>> = (0..coordinates.extent(0)).map(along).collect();
        imaging::map_coordinates(x, &positions, sampling)
    };
    GaussianBlur(images) { kernel_size: [3, 3], sigma: [1.0, 1.0], data_format: null } |c| {
        let size = c.config.sizes("kernel_size", 2)?;
        let sigma = crate::layers::numbers::numbers(c.config, "sigma")?;
        let sigma: Vec<f64> = sigma.iter_f64().collect();
        let &[x, y] = sigma.as_slice() else { return Err(c.config.bad("sigma", "two numbers")) };
        let graph = c.cx.graph();
        let sigma = [x, y].map(|s| graph.scalar(s, DType::Float32));
        batched(c, |x| imaging::gaussian_blur(x, [size[0], size[1]], sigma))
    };
}

/// The axis of the channels of one image or a batch of them.
fn channels(c: &Call<'_, '_>, x: Value<'_>) -> Result<usize> {
    match (x.rank(), DataFormat::from_config(c.config)?) {
        (rank @ (3 | 4), DataFormat::ChannelsLast) => Ok(rank - 1),
        (rank @ (3 | 4), DataFormat::ChannelsFirst) => Ok(rank - 3),
        _ => Err(c.bad(0, "one image (rank 3) or a batch (rank 4)")),
    }
}

/// `f` of the images of the first argument as (batch, height, width, channels).
fn batched<'g>(
    c: &Call<'_, 'g>,
    f: impl FnOnce(Value<'g>) -> Result<Value<'g>>,
) -> Result<Value<'g>> {
    let (x, format) = (c.value(0)?, DataFormat::from_config(c.config)?);
    let shape = x.shape();
    match shape.rank() {
        4 => Ok(format.restore(f(format.to_last(x))?)),
        3 => {
            let single: Shape = std::iter::once(1).chain(shape.iter().copied()).collect();
            let y = format.restore(f(format.to_last(x.reshape(single)))?);
            Ok(y.reshape(y.shape().iter().skip(1).copied().collect::<Shape>()))
        }
        _ => Err(Error::shape("images", shape.to_string(), "rank 3 or 4")),
    }
}
