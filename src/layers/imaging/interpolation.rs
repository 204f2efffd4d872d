//! Images in other sizes.

use crate::base::{DType, Error, Result, Shape};
use crate::graph::Value;
use crate::layers::config::Config;

/// How the pixels of a resized image come from those of the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    Nearest,
    Bilinear,
    Bicubic,
    Lanczos3,
    Lanczos5,
}

/// A weight below this counts as none, as in JAX.
const SMALLEST_WEIGHT: f64 = 1000.0 * f32::EPSILON as f64;

impl Interpolation {
    /// The setting `interpolation`.
    pub fn from_config(config: &Config) -> Result<Interpolation> {
        let all = [
            ("nearest", Interpolation::Nearest),
            ("bilinear", Interpolation::Bilinear),
            ("bicubic", Interpolation::Bicubic),
            ("lanczos3", Interpolation::Lanczos3),
            ("lanczos5", Interpolation::Lanczos5),
        ];
        config.choice("interpolation", &all)
    }

    /// `x` with the extents of some axes changed; pixels are squares whose centres are sampled. With
    /// `antialias`, shrinking first smooths. Integers are rounded.
    ///
    /// # Errors
    /// If an axis that is to grow or shrink is empty.
    pub fn resize<'g>(
        self,
        x: Value<'g>,
        extents: &[(usize, usize)],
        antialias: bool,
    ) -> Result<Value<'g>> {
        let keep = x.dtype();
        let float = if keep.is_float() || self == Interpolation::Nearest {
            x
        } else {
            x.cast(DType::Float32)
        };
        let resized =
            in_order_of_work(float, extents).into_iter().try_fold(float, |x, (axis, extent)| {
                match x.extent(axis) {
                    0 => Err(Error::shape("resize", x.shape().to_string(), "an image with pixels")),
                    old if self == Interpolation::Nearest => {
                        Ok(x.gather(nearest(x, old, extent), axis))
                    }
                    old => Ok(along(x, axis, self.weights(x, old, extent, antialias))),
                }
            })?;
        Ok(match resized.dtype() == keep {
            true => resized,
            false => resized.unary("round").saturating_cast(keep),
        })
    }

    /// The setting `method` of `scale_and_translate`.
    pub fn from_method(config: &Config) -> Result<Interpolation> {
        let all = [
            ("linear", Interpolation::Bilinear),
            ("bilinear", Interpolation::Bilinear),
            ("trilinear", Interpolation::Bilinear),
            ("cubic", Interpolation::Bicubic),
            ("bicubic", Interpolation::Bicubic),
            ("tricubic", Interpolation::Bicubic),
            ("lanczos3", Interpolation::Lanczos3),
            ("lanczos5", Interpolation::Lanczos5),
        ];
        config.choice("method", &all)
    }

    /// `x` with the elements along an axis stretched by `scale` and then moved by `translation`, both scalars,
    /// onto `extent` elements; zeros where nothing comes to lie. With `antialias`, shrinking first smooths.
    pub fn scale_and_translate<'g>(
        self,
        x: Value<'g>,
        (axis, extent): (usize, usize),
        [scale, translation]: [Value<'g>; 2],
        antialias: bool,
    ) -> Value<'g> {
        let old = x.extent(axis);
        let index = |axis| x.graph().iota([old, extent], axis).cast(scale.dtype());
        let inverse = scale.like(1.0) / scale;
        let center = (index(1) + 0.5) * inverse - translation * inverse - 0.5;
        let distance = (center - index(0)).abs();
        let width = inverse.maximum(inverse.like(1.0));
        let shares = self.shares(if antialias { distance / width } else { distance });
        let inside = center.binary("ge", center.like(-0.5));
        let inside = inside.binary("and", center.binary("le", center.like(old as f64 - 0.5)));
        along(x, axis, inside.select(shares, shares.like(0.0)).cast(x.dtype()))
    }

    /// How much every old pixel adds to every new one, `[old, new]`; columns sum to one.
    fn weights<'g>(self, x: Value<'g>, old: usize, new: usize, antialias: bool) -> Value<'g> {
        let graph = x.graph();
        let index = |axis| graph.iota([old, new], axis).cast(DType::Float32);
        let shrink = old as f64 / new as f64;
        let center = (index(1) + 0.5) * shrink - 0.5;
        let distance = (center - index(0)).abs();
        let distance =
            if antialias { distance * f64::from(1.0 / shrink.max(1.0) as f32) } else { distance };
        self.shares(distance).cast(x.dtype())
    }

    /// The weights of distances `[old, new]`, in columns that sum to one, or to nothing. As XLA compiles
    /// this, multiplied by the sum's reciprocal: halves between integers are then rounded as in Keras.
    fn shares(self, distance: Value<'_>) -> Value<'_> {
        let weights = self.kernel(distance);
        let sum = weights.sum(&[0]).reshape([1, distance.extent(1)]);
        let some = sum.abs().binary("gt", sum.like(SMALLEST_WEIGHT));
        some.select(weights * some.select(sum, sum.like(1.0)).unary("recip"), weights.like(0.0))
    }

    /// The weight of a pixel at a distance.
    fn kernel(self, d: Value<'_>) -> Value<'_> {
        match self {
            Interpolation::Nearest | Interpolation::Bilinear => {
                (-d + 1.0).maximum(d.scalar_like(0.0))
            }
            Interpolation::Bicubic => {
                let near = (d * 1.5 - 2.5) * d * d + 1.0;
                let far = ((d * -0.5 + 2.5) * d - 4.0) * d + 2.0;
                let curve = d.binary("ge", d.like(1.0)).select(far, near);
                d.binary("ge", d.like(2.0)).select(d.like(0.0), curve)
            }
            Interpolation::Lanczos3 => lanczos(d, 3.0),
            Interpolation::Lanczos5 => lanczos(d, 5.0),
        }
    }
}

/// A sine window of a sine cardinal.
fn lanczos(d: Value<'_>, radius: f64) -> Value<'_> {
    use std::f64::consts::PI;
    let near = d.binary("gt", d.like(1e-3));
    let safe = near.select(d, d.like(1.0));
    let product = (safe * PI).unary("sin") * (safe * (PI / radius)).unary("sin") * radius;
    let window = near.select(product / (safe * safe * (PI * PI)), d.like(1.0));
    d.binary("gt", d.like(radius)).select(d.like(0.0), window)
}

/// The axes that change, in the order of fewest multiplications, as JAX contracts them.
fn in_order_of_work(x: Value<'_>, extents: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut changing: Vec<(usize, usize)> =
        extents.iter().copied().filter(|&(axis, extent)| x.extent(axis) != extent).collect();
    // The first of two products costs `new` for every pixel, the second `new` for every old pixel
    // along its axis and new one along the other: in front is where 1 / new - 1 / old is larger.
    let gain = |&(axis, extent): &(usize, usize)| {
        1.0 / extent.max(1) as f64 - 1.0 / x.extent(axis).max(1) as f64
    };
    changing.sort_by(|a, b| gain(b).total_cmp(&gain(a)));
    changing
}

/// The nearest of `old` pixels to each of `new` ones. The scale is that of XLA, which multiplies by the
/// rounded reciprocal.
fn nearest<'g>(x: Value<'g>, old: usize, new: usize) -> Value<'g> {
    let scale = old as f32 * (1.0 / new as f32);
    let line = x.graph().iota([new], 0).cast(DType::Float32);
    ((line + 0.5) * f64::from(scale)).unary("floor").cast(DType::Int32)
}

/// The product of every line of `x` along an axis with a matrix.
fn along<'g>(x: Value<'g>, axis: usize, matrix: Value<'g>) -> Value<'g> {
    let last = x.rank().saturating_sub(1);
    x.move_axis(axis, last).dot(matrix).move_axis(last, axis)
}

/// The largest part in the middle of an image that has the aspect ratio of another size, as start and
/// extent of each axis.
pub fn centered_part(shape: &Shape, axes: [usize; 2], size: [usize; 2]) -> [(usize, usize); 2] {
    let [height, width] = axes.map(|axis| shape[axis]);
    let crop = |own: usize, other: usize, target: usize, other_target: usize| {
        let fitting = (other as f64 * target as f64 / other_target as f64) as usize;
        let extent = own.min(fitting).max(1);
        ((own.saturating_sub(extent)) / 2, extent)
    };
    [crop(height, width, size[0], size[1]), crop(width, height, size[1], size[0])]
}
