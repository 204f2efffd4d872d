//! Images seen from another point of view.

use crate::base::{DType, Error, Result, Shape};
use crate::graph::Value;
use crate::layers::imaging::{Along, Sampling, map_coordinates};

/// A matrix of three rows for each image, whose elements are (batch, 1).
type Matrix<'g> = [[Value<'g>; 3]; 3];

/// The coordinates of four corners, `(batch, 4, 2)`, as x and y of each, (batch, 1).
fn corners(points: Value<'_>) -> [[Value<'_>; 2]; 4] {
    let one = |corner: usize, axis: usize| {
        let point = points.narrow(1, corner, 1).narrow(2, axis, 1);
        point.reshape([point.shape().len(), 1])
    };
    [0, 1, 2, 3].map(|corner| [one(corner, 0), one(corner, 1)])
}

/// The map of the unit square's corners (0, 0), (1, 0), (1, 1), (0, 1) to four points (Heckbert 1989).
fn from_square<'g>([p0, p1, p2, p3]: [[Value<'g>; 2]; 4]) -> Matrix<'g> {
    let minus = |a: [Value<'g>; 2], b: [Value<'g>; 2]| [a[0] - b[0], a[1] - b[1]];
    let cross = |a: [Value<'g>; 2], b: [Value<'g>; 2]| a[0] * b[1] - a[1] * b[0];
    let (d1, d2) = (minus(p1, p2), minus(p3, p2));
    let sum = minus(minus(p0, p1), minus(p3, p2));
    let whole = cross(d1, d2);
    let (g, h) = (cross(sum, d2) / whole, cross(d1, sum) / whole);
    let row = |i: usize| [p1[i] - p0[i] + g * p1[i], p3[i] - p0[i] + h * p3[i], p0[i]];
    [row(0), row(1), [g, h, g.like(1.0)]]
}

/// The inverse, up to a factor.
fn adjugate<'g>(m: &Matrix<'g>) -> Matrix<'g> {
    let minor = |i: usize, j: usize| {
        let (a, b, c, d) = ((i + 1) % 3, (i + 2) % 3, (j + 1) % 3, (j + 2) % 3);
        m[a][c] * m[b][d] - m[a][d] * m[b][c]
    };
    std::array::from_fn(|i| std::array::from_fn(|j| minor(j, i)))
}

fn product<'g>(a: &Matrix<'g>, b: &Matrix<'g>) -> Matrix<'g> {
    let element = |i: usize, j: usize| a[i][0] * b[0][j] + a[i][1] * b[1][j] + a[i][2] * b[2][j];
    std::array::from_fn(|i| std::array::from_fn(|j| element(i, j)))
}

/// The map of the points `to` to the points `from`, both (batch, 4, 2): `[a0, a1, a2, b0, b1, b2, c0, c1]`,
/// each (batch, 1), with 1 as the last element of the matrix.
fn homography<'g>(from: Value<'g>, to: Value<'g>) -> [Value<'g>; 8] {
    let matrix = product(&from_square(corners(from)), &adjugate(&from_square(corners(to))));
    let element = |i: usize| matrix[i / 3][i % 3] / matrix[2][2];
    std::array::from_fn(element)
}

/// Where points of images come to lie when what was at `start` is moved to `end`, both (batch, 4, 2): x and
/// y of points, (batch, points, 1) each, in float32.
///
/// # Errors
/// If the corners have another shape.
pub(crate) fn in_perspective<'g>(
    [start, end]: [Value<'g>; 2],
    points: &[(Value<'g>, Value<'g>)],
) -> Result<Vec<[Value<'g>; 2]>> {
    let shape = start.shape();
    let &[batch, 4, 2] = shape.as_slice() else {
        let found = shape.to_string();
        return Err(Error::shape("corners of a change of perspective", found, "(batch, 4, 2)"));
    };
    let [to, from] = [end, start].map(|corners| corners.cast(DType::Float32));
    let [a0, a1, a2, b0, b1, b2, c0, c1] = homography(to, from).map(|v| v.reshape([batch, 1, 1]));
    let moved = |&(x, y): &(Value<'g>, Value<'g>)| {
        let depth = c0 * x + c1 * y + 1.0;
        [(a0 * x + a1 * y + a2) / depth, (b0 * x + b1 * y + b2) / depth]
    };
    Ok(points.iter().map(moved).collect())
}

/// Images (batch, height, width, channels) such that what was at `start` is at `end`; both are
/// `(batch, 4, 2)` or `(4, 2)`: x and y of four corners. Keras's `perspective_transform`.
///
/// # Errors
/// If the points have another shape.
pub(crate) fn perspective_transform<'g>(
    images: Value<'g>,
    [start, end]: [Value<'g>; 2],
    sampling: Sampling,
) -> Result<Value<'g>> {
    let shape = images.shape();
    let points = start.shape();
    let many = match *points.as_slice() {
        [4, 2] => 1,
        [many, 4, 2] => many,
        _ => 0,
    };
    if shape.rank() != 4 || many != shape[0] || end.shape() != points {
        let found = format!("{points} and {} for images {shape}", end.shape());
        return Err(Error::shape(
            "points of a change of perspective",
            found,
            "(batch, 4, 2) twice",
        ));
    }
    let points = |v: Value<'g>| v.cast(DType::Float32).reshape([many, 4, 2]);
    let transform = homography(points(start), points(end));
    let [a0, a1, a2, b0, b1, b2, c0, c1] = transform.map(|v| v.reshape([many, 1, 1, 1]));
    let graph = images.graph();
    let line = |extents: [usize; 4], axis: usize| graph.iota(extents, axis).cast(DType::Float32);
    let (y, x) = (line([1, shape[1], 1, 1], 1), line([1, 1, shape[2], 1], 2));
    let depth = c0 * x + c1 * y + 1.0;
    let column = (a0 * x + a1 * y + a2) / depth;
    let row = (b0 * x + b1 * y + b2) / depth;
    let at = |axis: usize| Along::At(graph.iota(shape.clone(), axis));
    let between = |v: Value<'g>| Along::Between(v.broadcast(Shape::clone(&shape)));
    map_coordinates(images, &[at(0), between(row), between(column), at(3)], sampling)
}
