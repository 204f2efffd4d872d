//! `keras.ops.image`.

use crate::base::{DType, Error, Result, Shape};
use crate::graph::Value;
use crate::initializers::fresh_seed;
use crate::layers::config::Json;
use crate::layers::imaging::interpolation::Interpolation;
use crate::layers::imaging::{self, Along, Elastic, Fill, Sampling, Ssim};
use crate::layers::spatial::DataFormat;
use crate::layers::{Arg, Resize as Settings};
use crate::operations::call::Call;
use crate::operations::operations;
use crate::tensor::Tensor;

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
        batched(c, 2, |x| imaging::affine_transform(x, transform, sampling))
    };
    PerspectiveTransform(images, start_points, end_points)
        { interpolation: "bilinear", fill_value: 0, data_format: null } |c| {
        let linear = c.config.choice("interpolation", INTERPOLATIONS)?;
        let fill = Fill::Constant(c.config.float("fill_value")?);
        let points = [c.float(1)?, c.float(2)?];
        batched(c, 2, |x| imaging::perspective_transform(x, points, Sampling { linear, fill }))
    };
    ElasticTransform(images) {
        alpha: 20.0,
        sigma: 5.0,
        interpolation: "bilinear",
        fill_mode: "reflect",
        fill_value: 0.0,
        seed: null,
        data_format: null
    } |c| {
        let sampling = Sampling::from_config(c.config)?;
        let (alpha, sigma) = (c.config.float("alpha")?, c.config.float("sigma")?);
        let scalar = |x: f64| c.cx.graph().scalar(x, DType::Float32);
        let elastic = Elastic { alpha: scalar(alpha), sigma: scalar(sigma), most: sigma };
        let key = seed(c)?;
        batched(c, 2, |x| imaging::elastic_transform(x, key, elastic, sampling))
    };
    ScaleAndTranslate(images, output_shape, scale, translation)
        { spatial_dims: null, method: null, antialias: true } |c| scale_and_translate(c);
    MapCoordinates(inputs, coordinates) { order: null, fill_mode: "constant", fill_value: 0 } |c| {
        let (x, coordinates) = (c.value(0)?, stacked(c, 1)?);
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
        batched(c, 2, |x| imaging::gaussian_blur(x, [size[0], size[1]], sigma))
    };
    SobelEdges(images) { data_format: null } |c| {
        let (x, format) = (c.value(0)?, DataFormat::from_config(c.config)?);
        let edges = imaging::sobel_edges(format.to_last(x))?;
        Ok(match format {
            DataFormat::ChannelsLast => edges,
            DataFormat::ChannelsFirst => edges.move_axis(3, 1),
        })
    };
    SSIM(image1, image2) {
        max_val: 1.0, filter_size: 11, filter_sigma: 1.5, k1: 0.01, k2: 0.03, data_format: null
    } |c| ssim(c);
}

/// The axis of the channels of one image or a batch of them.
pub(super) fn channels(c: &Call<'_, '_>, x: Value<'_>) -> Result<usize> {
    match (x.rank(), DataFormat::from_config(c.config)?) {
        (rank @ (3 | 4), DataFormat::ChannelsLast) => Ok(rank - 1),
        (rank @ (3 | 4), DataFormat::ChannelsFirst) => Ok(rank - 3),
        _ => Err(c.bad(0, "one image (rank 3) or a batch (rank 4)")),
    }
}

const INTERPOLATIONS: &[(&str, bool)] = &[("nearest", false), ("bilinear", true)];

/// An argument that is a tensor, or a list of its parts along the first axis.
fn stacked<'g>(c: &Call<'_, 'g>, position: usize) -> Result<Value<'g>> {
    let Some(Arg::List(_)) = c.arg(position) else { return c.value(position) };
    let parts: Vec<Value<'g>> = c.list(position)?;
    if parts.iter().any(|part| part.shape() != parts[0].shape()) {
        return Err(c.bad(position, "tensors of one shape"));
    }
    let one = |part: &Value<'g>| {
        part.reshape(std::iter::once(1).chain(part.shape().iter().copied()).collect::<Shape>())
    };
    Ok(c.cx.graph().concat(&parts.iter().map(one).collect::<Vec<_>>(), 0))
}

/// The key that a seed stands for; one of its own where the file has none.
fn seed<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let seed = match c.config.get("seed") {
        Json::Null => fresh_seed() as u32,
        _ => c.config.int("seed")? as u32,
    };
    Ok(c.cx.graph().constant(Tensor::new([2], &[seed, 0])?))
}

fn scale_and_translate<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let (mut x, method) = (c.float(0)?, Interpolation::from_method(c.config)?);
    let antialias = c.config.bool("antialias")?;
    let shape = x.shape();
    let extents = c.known(1)?.ok_or_else(|| c.bad(1, "a shape that is known while tracing"))?;
    let extents: Vec<f64> = extents.iter_f64().collect();
    let axes = c.config.ints("spatial_dims")?;
    let axes: Vec<usize> = axes.iter().map(|&axis| shape.axis(axis)).collect::<Result<_>>()?;
    let (scale, translation) = (c.float(2)?, c.float(3)?);
    for (position, values) in [(2, scale), (3, translation)] {
        if values.shape()[..] != [axes.len()] {
            return Err(c.bad(position, "one number for each of `spatial_dims`"));
        }
    }
    let kept = |(i, &d): (usize, &usize)| axes.contains(&i) || extents.get(i) == Some(&(d as f64));
    if extents.len() != shape.rank() || !shape.iter().enumerate().all(kept) {
        return Err(c.bad(1, &format!("{shape}, but for the axes {axes:?}")));
    }
    for (i, &axis) in axes.iter().enumerate() {
        let extent = Some(extents[axis]).filter(|&d| d >= 0.0 && d <= f64::from(u32::MAX));
        let extent = extent.ok_or_else(|| c.bad(1, "extents"))? as usize;
        let one = |v: Value<'g>| v.narrow(0, i, 1).reshape([1, 1]).cast(DType::Float32);
        let change = [one(scale), one(translation)];
        x = method.scale_and_translate(x, (axis, extent), change, antialias);
    }
    Ok(x)
}

fn ssim<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let ssim = Ssim {
        max_val: c.config.float("max_val")?,
        filter_size: c.config.size("filter_size")?,
        filter_sigma: c.config.float("filter_sigma")?,
        k1: c.config.float("k1")?,
        k2: c.config.float("k2")?,
    };
    let (keep, format) = (c.value(0)?.dtype(), DataFormat::from_config(c.config)?);
    let first = c.float(0)?;
    let images = [first, c.value(1)?.cast(first.dtype())];
    match first.rank() {
        4 => ssim.of(format.to_last(images[0]), format.to_last(images[1])).map(|y| y.cast(keep)),
        3 => {
            let [a, b] = images.map(|x| format.to_last(single(x)));
            Ok(ssim.of(a, b)?.reshape(Shape::scalar()).cast(keep))
        }
        _ => Err(c.bad(0, "one image (rank 3) or a batch (rank 4)")),
    }
}

/// One image as a batch.
fn single(x: Value<'_>) -> Value<'_> {
    x.reshape(std::iter::once(1).chain(x.shape().iter().copied()).collect::<Shape>())
}

/// `f` of the images of the first argument, which have `rank` spatial axes, as a batch of them with channels
/// last.
pub(super) fn batched<'g>(
    c: &Call<'_, 'g>,
    rank: usize,
    f: impl FnOnce(Value<'g>) -> Result<Value<'g>>,
) -> Result<Value<'g>> {
    let (x, format) = (c.value(0)?, DataFormat::from_config(c.config)?);
    if x.rank() == rank + 2 {
        return Ok(format.restore(f(format.to_last(x))?));
    }
    if x.rank() != rank + 1 {
        let expected = format!("rank {}, or {} for a batch", rank + 1, rank + 2);
        return Err(Error::shape("images", x.shape().to_string(), expected));
    }
    let y = format.restore(f(format.to_last(single(x)))?);
    Ok(y.reshape(y.shape().iter().skip(1).copied().collect::<Shape>()))
}
