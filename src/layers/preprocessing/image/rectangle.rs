//! Rectangles at drawn places of images.

use crate::base::Result;
use crate::graph::Value;
use crate::layers::preprocessing::image::base::Scene;

/// First and last position along an axis, for every image: a share of its extent, at a drawn place.
pub(super) fn span<'g>(
    scene: &Scene<'_, 'g>,
    extent: usize,
    share: Value<'g>,
) -> Result<[Value<'g>; 2]> {
    let dtype = scene.cx.compute_dtype();
    let length = (share * extent as f64).cast(dtype);
    let place = scene.seeds.next(scene.cx)?.uniform([scene.batch()], 0.0, 1.0, dtype);
    let start = place * (-length + extent as f64);
    Ok([start, start + length])
}

/// Which pixels lie between the positions `x` along the width and `y` along the height.
pub(super) fn inside<'g>(scene: &Scene<'_, 'g>, x: [Value<'g>; 2], y: [Value<'g>; 2]) -> Value<'g> {
    let [height_axis, width_axis] = scene.axes();
    let between = |axis: usize, [low, high]: [Value<'g>; 2]| {
        let mut extents = [1; 4];
        extents[axis] = scene.shape[axis];
        let at = scene.cx.graph().iota(extents, axis).cast(low.dtype());
        let above = at.binary("ge", scene.per_image(low));
        above.binary("and", at.binary("lt", scene.per_image(high)))
    };
    between(width_axis, x).binary("and", between(height_axis, y))
}
