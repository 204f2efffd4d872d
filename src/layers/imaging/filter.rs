//! Small filters over images.

use crate::base::{Error, Result};
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
