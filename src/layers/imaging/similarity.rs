//! How near two images are.

use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::layers::spatial::{Padding, Window};

/// The settings of the structural similarity (Wang et al. 2004).
pub(crate) struct Ssim {
    pub max_val: f64,
    pub filter_size: usize,
    pub filter_sigma: f64,
    pub k1: f64,
    pub k2: f64,
}

impl Ssim {
    /// The similarity of images (batch, height, width, channels), `(batch,)`: the mean over all windows of a
    /// bell curve that lie within the image, and over channels. Keras's `ssim`.
    ///
    /// # Errors
    /// If the shapes differ, or no window fits in.
    pub fn of<'g>(&self, first: Value<'g>, second: Value<'g>) -> Result<Value<'g>> {
        let shape = first.shape();
        let &[batch, height, width, channels] = shape.as_slice() else {
            return Err(Error::shape("ssim", shape.to_string(), "images"));
        };
        if second.shape() != shape {
            let found = format!("{shape} and {}", second.shape());
            return Err(Error::shape("ssim", found, "images of one shape"));
        }
        // Every channel is an image of its own.
        let split =
            |x: Value<'g>| x.transpose(&[0, 3, 1, 2]).reshape([batch * channels, height, width, 1]);
        let (a, b) = (split(first), split(second));
        let (mean_a, mean_b) = (self.blurred(a)?, self.blurred(b)?);
        let (square_a, square_b, both) = (mean_a * mean_a, mean_b * mean_b, mean_a * mean_b);
        let variance_a = self.blurred(a * a)? - square_a;
        let variance_b = self.blurred(b * b)? - square_b;
        let covariance = self.blurred(a * b)? - both;
        let (c1, c2) = ((self.k1 * self.max_val).powi(2), (self.k2 * self.max_val).powi(2));
        let above = (both * 2.0 + c1) * (covariance * 2.0 + c2);
        let below = (square_a + square_b + c1) * (variance_a + variance_b + c2);
        let map = wide(above / below);
        Ok(map.mean(&[1, 2, 3]).reshape([batch, channels]).mean(&[1]).cast(first.dtype()))
    }

    fn blurred<'g>(&self, x: Value<'g>) -> Result<Value<'g>> {
        let (size, dtype) = (self.filter_size, x.dtype());
        let line = x.graph().iota([size], 0).cast(dtype) - (size as f64 - 1.0) / 2.0;
        let bell = (-(line * line) / (2.0 * self.filter_sigma * self.filter_sigma)).exp();
        let bell = bell / bell.sum(&[0]);
        let kernel = bell.reshape([size, 1]) * bell.reshape([1, size]);
        let window = Window::new(2, [&[size, size], &[1, 1], &[1, 1]], Padding::Valid);
        window.conv(x, kernel.reshape([size, size, 1, 1]))
    }
}

/// Narrow floats as float32, in which means are taken.
fn wide(x: Value<'_>) -> Value<'_> {
    if x.dtype() == DType::Float64 { x } else { x.cast(DType::Float32) }
}

/// The peak signal-to-noise ratio of two tensors of one dtype in decibels, a scalar, for signals up to
/// `max_val`. Keras's `psnr`.
///
/// # Errors
/// If the shapes differ.
pub(crate) fn psnr<'g>(a: Value<'g>, b: Value<'g>, max_val: Value<'g>) -> Result<Value<'g>> {
    if a.shape() != b.shape() {
        let found = format!("{} and {}", a.shape(), b.shape());
        return Err(Error::shape("psnr", found, "tensors of one shape"));
    }
    let float = |x: Value<'g>| if x.dtype().is_float() { x } else { x.cast(DType::Float32) };
    let difference = a - b;
    let square = difference * difference;
    let keep = float(square).dtype();
    let axes: Vec<usize> = (0..square.rank()).collect();
    let error = wide(square).mean(&axes).cast(keep);
    let decibels = |x: Value<'g>, factor: f64| x.log() * std::f64::consts::LOG10_E * factor;
    Ok(decibels(float(max_val), 20.0) - decibels(error, 10.0))
}
