//! Small filters over images.

use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::layers::spatial::{Padding, Window};

/// One filter (height, width) applied to every channel of images (batch, height, width, channels),
/// with zeros around them.
pub(crate) fn depthwise<'g>(images: Value<'g>, filter: Value<'g>) -> Result<Value<'g>> {
    let (&[height, width], &[.., channels]) =
        (filter.shape().as_slice(), images.shape().as_slice())
    else {
        let found = format!("{} for images {}", filter.shape(), images.shape());
        return Err(Error::shape("a filter of images", found, "(height, width)"));
    };
    let kernel = filter
        .cast(images.dtype())
        .reshape([height, width, 1, 1])
        .broadcast([height, width, channels, 1]);
    let size = [height, width];
    let window = Window::new(2, [&size, &[1, 1], &[1, 1]], Padding::Same);
    window.depthwise_conv(images, kernel)
}

/// `size` samples of a bell curve around the middle, that sum to one; `sigma` is a scalar.
fn gaussian_line(size: usize, sigma: Value<'_>) -> Value<'_> {
    let line = sigma.graph().iota([size], 0).cast(sigma.dtype());
    let x = (line - (size as f64 - 1.0) / 2.0) / sigma;
    let bell = (x * x * -0.5).exp();
    bell / bell.sum(&[0])
}

/// Images (batch, height, width, channels) blurred; kernel sizes and deviations are those along width and height.
pub(crate) fn gaussian_blur<'g>(
    images: Value<'g>,
    size: [usize; 2],
    sigma: [Value<'g>; 2],
) -> Result<Value<'g>> {
    let [x, y] = [0, 1].map(|i| gaussian_line(size[i], sigma[i].cast(images.dtype())));
    depthwise(images, y.reshape([size[1], 1]) * x.reshape([1, size[0]]))
}

/// The gradient of images (batch, height, width, channels), with zeros around them, along both axes, on a new
/// last axis: along the height first. Keras's `sobel_edges`.
///
/// # Errors
/// If the images are no batch, or unsigned: Keras has no such filter.
pub(crate) fn sobel_edges<'g>(images: Value<'g>) -> Result<Value<'g>> {
    let shape = images.shape();
    let dtype = images.dtype();
    let &[batch, height, width, channels] = shape.as_slice() else {
        return Err(Error::shape("sobel_edges", shape.to_string(), "a batch of images"));
    };
    if !dtype.is_float() && !dtype.is_signed_int() {
        let found = dtype.name().to_owned();
        let (context, expected) = ("sobel_edges".into(), "floats or signed integers".into());
        return Err(Error::DType { context, found, expected });
    }
    let around = [0, 1, 1, 0];
    // Narrow floats are summed in full precision.
    let wide = if dtype.is_float() { images.cast(DType::Float32) } else { images };
    let padded = wide.pad(&around, &around, 0.0);
    let part = |x: Value<'g>, axis: usize, start: usize| {
        let extent = if axis == 1 { height } else { width };
        x.narrow(axis, start, extent)
    };
    let smooth = |x, axis| part(x, axis, 0) + part(x, axis, 1) * 2.0 + part(x, axis, 2);
    let slope = |x, axis| part(x, axis, 2) - part(x, axis, 0);
    let edges = [slope(smooth(padded, 2), 1), slope(smooth(padded, 1), 2)];
    let apart = edges.map(|edge| edge.cast(dtype).reshape([batch, height, width, channels, 1]));
    Ok(images.graph().concat(&apart, 4))
}
