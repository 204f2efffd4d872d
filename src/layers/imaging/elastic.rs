//! Images distorted by a smooth random field.

use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::layers::imaging::{Along, Sampling, gaussian_blur, map_coordinates};

/// Images (batch, height, width, channels) whose pixels are moved along both axes by `alpha` times normal
/// noise of deviation `sigma`, blurred by as much. As in Keras, the same noise moves along both.
///
/// # Errors
/// If the images are not floats, or so small that Keras has no result.
pub(crate) fn elastic_transform<'g>(
    images: Value<'g>,
    key: Value<'g>,
    [alpha, sigma]: [f64; 2],
    sampling: Sampling,
) -> Result<Value<'g>> {
    let (shape, dtype) = (images.shape(), images.dtype());
    let &[batch, height, width, _] = shape.as_slice() else {
        return Err(Error::shape("elastic_transform", shape.to_string(), "a batch of images"));
    };
    if !dtype.is_float() || height < 2 || width < 2 || !(0.0..=1e4).contains(&sigma) {
        let found = format!("{} for sigma {sigma}", images.spec());
        let expected = "floats, of two by two pixels or more, and a sigma from 0 to 10000";
        return Err(Error::shape("elastic_transform", found, expected));
    }
    // As Keras rounds it: in single precision, and to an odd number.
    let size = (6.0 * sigma as f32) as usize | 1;
    let graph = images.graph();
    let width_of = graph.scalar(sigma, DType::Float32);
    let noise = key.normal([batch, height, width], dtype).cast(DType::Float32) * sigma;
    let noise = noise.reshape([batch, height, width, 1]);
    let moved = gaussian_blur(noise, [size, size], [width_of, width_of])? * alpha;
    let at = |axis: usize| Along::At(graph.iota(shape.clone(), axis));
    let along = |axis: usize| {
        let position = graph.iota([batch, height, width, 1], axis).cast(DType::Float32) + moved;
        Along::Between(position.broadcast(shape.clone()))
    };
    map_coordinates(images, &[at(0), along(1), along(2), at(3)], sampling)
}
