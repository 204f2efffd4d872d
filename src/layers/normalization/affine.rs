//! Scale and offset after a normalization, and how it is applied.

use crate::base::{DType, Error, Result, Shape, SymbolicShape};
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::config::Config;
use crate::layers::{Context, LayerBase};
use crate::tensor::Variable;

/// `gamma` and `beta`, each of which a layer may do without.
pub(super) struct Affine {
    center: bool,
    scale: bool,
    beta_initializer: Initializer,
    gamma_initializer: Initializer,
    gamma: Option<Variable>,
    beta: Option<Variable>,
}

impl Affine {
    /// Reads `center`, `scale` and the settings of both weights.
    pub fn from_config(config: &Config) -> Result<Affine> {
        Ok(Affine {
            center: config.bool("center")?,
            scale: config.bool("scale")?,
            beta_initializer: Initializer::from_config(config, "beta_initializer")?,
            gamma_initializer: Initializer::from_config(config, "gamma_initializer")?,
            gamma: None,
            beta: None,
        })
    }

    /// Scales whatever `scale` says, and never adds an offset.
    pub fn scale_only(self) -> Affine {
        Affine { scale: true, center: false, ..self }
    }

    /// Makes the weights, gamma first.
    pub fn build(&mut self, base: &mut LayerBase, shape: &Shape) -> Result<()> {
        if self.scale {
            let gamma = base.add_weight("gamma", shape.clone(), &self.gamma_initializer)?;
            self.gamma = Some(gamma);
        }
        if self.center {
            self.beta = Some(base.add_weight("beta", shape.clone(), &self.beta_initializer)?);
        }
        Ok(())
    }

    /// `(x − mean) / √(variance + epsilon) · gamma + beta`, as one product and one sum. The weights
    /// are first brought to `shape`, which broadcasts to that of `x`.
    pub fn normalize<'g>(
        &self,
        cx: &Context<'g>,
        x: Value<'g>,
        (mean, variance): (Value<'g>, Value<'g>),
        epsilon: f64,
        shape: &Shape,
    ) -> Value<'g> {
        normalize(x, (mean, variance), epsilon, self.weights(cx, x.dtype(), shape))
    }

    /// gamma and beta, as values of `shape`.
    pub fn weights<'g>(&self, cx: &Context<'g>, dtype: DType, shape: &Shape) -> Weights<'g> {
        let weight = |v: &Variable| wide(cx, v, dtype).reshape(shape.clone());
        (self.gamma.as_ref().map(weight), self.beta.as_ref().map(weight))
    }
}

/// What a normalized value is multiplied by, and what is added to it then.
pub(super) type Weights<'g> = (Option<Value<'g>>, Option<Value<'g>>);

/// `(x − mean) / √(variance + epsilon) · scale + offset`, as one product and one sum.
pub(super) fn normalize<'g>(
    x: Value<'g>,
    (mean, variance): (Value<'g>, Value<'g>),
    epsilon: f64,
    (scale, offset): Weights<'g>,
) -> Value<'g> {
    let inv = (variance + epsilon).rsqrt();
    let inv = scale.map_or(inv, |scale| inv * scale);
    let shift = -mean * inv;
    let shift = offset.map_or(shift, |offset| shift + offset);
    x * inv + shift
}

/// A variable in the dtype in which a normalization computes, without a detour through a narrower
/// compute dtype.
pub(super) fn wide<'g>(cx: &Context<'g>, variable: &Variable, dtype: DType) -> Value<'g> {
    cx.graph().read(variable).cast(dtype)
}

/// `x` in at least 32 bits, in which statistics are computed.
pub(super) fn widen(x: Value<'_>) -> Value<'_> {
    if x.dtype() == DType::Float64 { x } else { x.cast(DType::Float32) }
}

/// Axes of a tensor of this rank, ascending and counted from the front.
pub(super) fn normalized(axes: &[i64], rank: usize) -> Result<Vec<usize>> {
    let mut all: Vec<usize> = axes
        .iter()
        .map(|&axis| crate::base::shape::normalize_axis(axis, rank))
        .collect::<Result<_>>()?;
    all.sort_unstable();
    if all.windows(2).any(|w| w[0] == w[1]) {
        return Err(Error::shape("axis", format!("{axes:?}"), "distinct axes"));
    }
    Ok(all)
}

/// The shape of weights over some axes. Keras sorts the axes as they are given: negative ones come
/// first.
pub(super) fn extents_of(axes: &[i64], shape: &SymbolicShape) -> Result<Shape> {
    normalized(axes, shape.rank())?;
    let mut axes = axes.to_vec();
    axes.sort_unstable();
    Ok(axes.iter().map(|&axis| shape.known(axis)).collect::<Result<Vec<usize>>>()?.into())
}

/// The shape of a tensor with every extent but those of `axes` replaced by 1.
pub(super) fn only_axes(shape: &Shape, axes: &[usize]) -> Shape {
    shape.iter().enumerate().map(|(i, &d)| if axes.contains(&i) { d } else { 1 }).collect()
}
