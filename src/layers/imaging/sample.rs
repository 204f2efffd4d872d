//! Values between the elements of a tensor.

use crate::base::{DType, Error, Result, Shape};
use crate::graph::Value;
use crate::layers::config::Config;

/// What lies outside a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fill {
    Constant(f64),
    Nearest,
    Wrap,
    Mirror,
    Reflect,
}

/// How values are taken: from the nearest element or linearly between neighbours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sampling {
    pub linear: bool,
    pub fill: Fill,
}

/// The position along one axis, for every element of the result.
#[derive(Clone, Copy)]
pub(crate) enum Along<'g> {
    /// An element, as int32.
    At(Value<'g>),
    /// Between elements, as float32.
    Between(Value<'g>),
}

/// Where one axis is looked at: an index, whether it lies inside, and how much it counts.
struct Tap<'g> {
    index: Value<'g>,
    inside: Option<Value<'g>>,
    weight: Option<Value<'g>>,
}

impl Sampling {
    /// The settings `interpolation`, `fill_mode` and `fill_value`.
    pub fn from_config(config: &Config) -> Result<Sampling> {
        let linear = config.choice("interpolation", &[("nearest", false), ("bilinear", true)])?;
        Ok(Sampling { linear, fill: Fill::from_config(config)? })
    }
}

impl Fill {
    /// The settings `fill_mode` and `fill_value`.
    pub fn from_config(config: &Config) -> Result<Fill> {
        let modes = [
            ("constant", Fill::Constant(config.float("fill_value")?)),
            ("nearest", Fill::Nearest),
            ("wrap", Fill::Wrap),
            ("mirror", Fill::Mirror),
            ("reflect", Fill::Reflect),
        ];
        config.choice("fill_mode", &modes)
    }

    /// The element that stands for an index along an axis.
    pub fn fix<'g>(self, index: Value<'g>, extent: usize) -> Value<'g> {
        match self {
            // An index outside is clamped when elements are gathered.
            Fill::Constant(_) | Fill::Nearest => index,
            Fill::Wrap => index.binary("mod", index.like(extent as f64)),
            Fill::Mirror => mirrored(index, extent),
            Fill::Reflect => {
                let doubled = index * 2.0 + 1.0;
                let inner = mirrored(doubled, 2 * extent + 1) - 1.0;
                inner.binary("floor_div", inner.like(2.0))
            }
        }
    }
}

/// A triangular wave through all elements.
fn mirrored(index: Value<'_>, extent: usize) -> Value<'_> {
    let last = extent.saturating_sub(1) as f64;
    if last == 0.0 {
        return index.like(0.0);
    }
    ((index + last).binary("mod", index.like(2.0 * last)) - last).abs()
}

/// `x` rounded to the nearest integer, halves away from zero.
fn rounded(x: Value<'_>) -> Value<'_> {
    (x.abs() + 0.5).unary("floor") * x.unary("sign")
}

/// Elements of `data` at positions along each of its axes; the positions have one shape, which is
/// that of the result. Integers are rounded.
///
/// # Errors
/// If there are not as many positions as axes.
pub(crate) fn map_coordinates<'g>(
    data: Value<'g>,
    positions: &[Along<'g>],
    sampling: Sampling,
) -> Result<Value<'g>> {
    let shape = data.shape();
    if shape.rank() != positions.len() || shape.is_empty() {
        let found = format!("{} coordinates for {shape}", positions.len());
        return Err(Error::shape("map_coordinates", found, "one for each axis of some elements"));
    }
    let taps: Vec<Vec<Tap<'g>>> =
        positions.iter().zip(shape.iter()).map(|(p, &d)| sampling.taps(*p, d)).collect();
    let keep = data.dtype();
    let flat = data.reshape([shape.len()]).cast(DType::Float32);
    let corners: usize = taps.iter().map(Vec::len).product();
    let sum = (0..corners).map(|corner| {
        // The last axis varies fastest.
        let mut rest = corner;
        let mut chosen: Vec<&Tap<'g>> = Vec::new();
        for options in taps.iter().rev() {
            chosen.push(&options[rest % options.len()]);
            rest /= options.len();
        }
        chosen.reverse();
        sampling.corner(flat, &shape, &chosen)
    });
    let sum = sum.reduce(|a, b| a + b);
    let sum = sum.ok_or_else(|| Error::Internal("coordinates without a corner".into()))?;
    Ok(if keep.is_float() { sum } else { rounded(sum) }.cast(keep))
}

impl Sampling {
    fn taps<'g>(self, position: Along<'g>, extent: usize) -> Vec<Tap<'g>> {
        let tap = |index: Value<'g>, weight: Option<Value<'g>>| {
            let inside = matches!(self.fill, Fill::Constant(_)).then(|| {
                let above = index.binary("ge", index.like(0.0));
                above.binary("and", index.binary("lt", index.like(extent as f64)))
            });
            Tap { index: self.fill.fix(index, extent), inside, weight }
        };
        match position {
            Along::At(index) => vec![Tap { index, inside: None, weight: None }],
            Along::Between(x) if self.linear => {
                let lower = x.unary("floor");
                let upper_weight = x - lower;
                let index = lower.cast(DType::Int32);
                vec![tap(index, Some(-upper_weight + 1.0)), tap(index + 1.0, Some(upper_weight))]
            }
            Along::Between(x) => vec![tap(rounded(x).cast(DType::Int32), None)],
        }
    }

    fn corner<'g>(self, flat: Value<'g>, shape: &Shape, taps: &[&Tap<'g>]) -> Value<'g> {
        let strides = shape.strides();
        let index = taps.iter().zip(shape.iter().zip(strides)).map(|(tap, (&extent, stride))| {
            let last = tap.index.like(extent as f64 - 1.0);
            tap.index.maximum(tap.index.like(0.0)).minimum(last) * stride as f64
        });
        let Some(index) = index.reduce(|a, b| a + b) else { return flat };
        let value = flat.gather(index, 0);
        let inside = taps.iter().filter_map(|tap| tap.inside).reduce(|a, b| a.binary("and", b));
        let value = match (inside, self.fill) {
            (Some(inside), Fill::Constant(fill)) => inside.select(value, value.like(fill)),
            _ => value,
        };
        let weight = taps.iter().filter_map(|tap| tap.weight).reduce(|a, b| a * b);
        weight.map_or(value, |weight| weight * value)
    }
}
