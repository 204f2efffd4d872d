//! Images seen through a change of coordinates.

use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::layers::imaging::{Along, Sampling, map_coordinates};

/// The columns of a matrix (batch, n), each ready to combine with (batch, height, width, channels).
fn columns<'g>(matrix: Value<'g>, batch: usize) -> Result<[Value<'g>; 8]> {
    if matrix.shape()[..] != [batch, 8] && matrix.shape()[..] != [1, 8] {
        let expected = format!("({batch}, 8) or (1, 8)");
        return Err(Error::shape("a transform of images", matrix.shape().to_string(), expected));
    }
    let column = |i: usize| {
        let column = matrix.narrow(1, i, 1);
        column.reshape([column.shape().len(), 1, 1, 1]).cast(DType::Float32)
    };
    Ok(std::array::from_fn(column))
}

/// Images (batch, height, width, channels) whose pixel (x, y) comes from
/// (a0 x + a1 y + a2, b0 x + b1 y + b2) for a transform (a0, a1, a2, b0, b1, b2, c0, c1). As in
/// Keras, c0 and c1 multiply the channel's index and are otherwise left out.
pub(crate) fn affine_transform<'g>(
    images: Value<'g>,
    transform: Value<'g>,
    sampling: Sampling,
) -> Result<Value<'g>> {
    let shape = images.shape();
    let &[batch, height, width, _] = shape.as_slice() else {
        return Err(Error::shape("affine_transform", shape.to_string(), "a batch of images"));
    };
    let [a0, a1, a2, b0, b1, b2, c0, c1] = columns(transform, batch)?;
    let graph = images.graph();
    let line = |extents: [usize; 4], axis: usize| graph.iota(extents, axis).cast(DType::Float32);
    let (y, x) = (line([1, height, 1, 1], 1), line([1, 1, width, 1], 2));
    let channel = line([1, 1, 1, shape[3]], 3);
    let row = y * b1 + x * b0 + channel * c0 + b2;
    let column = y * a1 + x * a0 + channel * c1 + a2;
    let whole = |v: Value<'g>| v.broadcast(shape.clone());
    let at = |axis: usize| Along::At(graph.iota(shape.clone(), axis));
    let between = |v: Value<'g>| Along::Between(whole(v));
    map_coordinates(images, &[at(0), between(row), between(column), at(3)], sampling)
}
