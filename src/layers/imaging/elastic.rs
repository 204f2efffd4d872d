//! Images distorted by a smooth random field.

use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::layers::imaging::{Along, Sampling, depthwise, map_coordinates};

/// The strength of a distortion; scalars.
#[derive(Clone, Copy)]
pub(crate) struct Elastic<'g> {
    /// How far pixels are moved for each unit of noise.
    pub alpha: Value<'g>,
    /// The noise's deviation, and the width of its blur.
    pub sigma: Value<'g>,
    /// What `sigma` never exceeds.
    pub most: f64,
}

impl<'g> Elastic<'g> {
    /// The weights of the blur along one axis. It has as many elements as `sigma` asks for; those that there
    /// would be more for the greatest one count nothing.
    fn bell(self) -> Value<'g> {
        let sigma = self.sigma.cast(DType::Float32);
        // As Keras rounds it: in single precision, and to an odd number.
        let size = (6.0 * self.most as f32) as usize | 1;
        let place = sigma.graph().iota([size], 0).cast(DType::Float32) - (size / 2) as f64;
        let half = ((sigma * 6.0).unary("floor") * 0.5).unary("floor");
        let share = place / sigma;
        let bell = (share * share * -0.5).exp();
        let bell = place.abs().binary("le", half).select(bell, bell.like(0.0));
        bell / bell.sum(&[0])
    }
}

/// Images (batch, height, width, channels) whose pixels are moved along both axes by `alpha` times normal
/// noise of deviation `sigma`, blurred by as much. As in Keras, the same noise moves along both.
///
/// # Errors
/// If the images are not floats, or so small that Keras has no result.
pub(crate) fn elastic_transform<'g>(
    images: Value<'g>,
    key: Value<'g>,
    elastic: Elastic<'g>,
    sampling: Sampling,
) -> Result<Value<'g>> {
    let (shape, dtype) = (images.shape(), images.dtype());
    let &[batch, height, width, _] = shape.as_slice() else {
        return Err(Error::shape("elastic_transform", shape.to_string(), "a batch of images"));
    };
    if !dtype.is_float() || height < 2 || width < 2 || !(0.0..=1e3).contains(&elastic.most) {
        let found = format!("{} for sigma {}", images.spec(), elastic.most);
        let expected = "floats, of two by two pixels or more, and a sigma from 0 to 1000";
        return Err(Error::shape("elastic_transform", found, expected));
    }
    let graph = images.graph();
    let noise = key.normal([batch, height, width, 1], dtype).cast(DType::Float32);
    let bell = elastic.bell();
    let size = bell.shape().len();
    let blur = bell.reshape([size, 1]) * bell.reshape([1, size]);
    let noise = noise * elastic.sigma.cast(DType::Float32);
    let moved = depthwise(noise, blur)? * elastic.alpha.cast(DType::Float32);
    let at = |axis: usize| Along::At(graph.iota(shape.clone(), axis));
    let along = |axis: usize| {
        let position = graph.iota([batch, height, width, 1], axis).cast(DType::Float32) + moved;
        Along::Between(position.broadcast(shape.clone()))
    };
    map_coordinates(images, &[at(0), along(1), along(2), at(3)], sampling)
}
