//! Bounds on gradients.

use crate::base::Result;
use crate::graph::{Graph, Value};
use crate::layers::config::Config;

/// How gradients are bounded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clipping {
    /// The norm of each gradient; `clipnorm`.
    Norm(f64),
    /// Each element; `clipvalue`.
    Value(f64),
    /// The norm of all gradients together; `global_clipnorm`.
    GlobalNorm(f64),
}

/// A variant of [`Clipping`], as a function of its bound.
type Kind = fn(f64) -> Clipping;

impl Clipping {
    /// Reads the three keys, of which one may be set. As in Keras, a bound that is not positive
    /// bounds nothing.
    pub fn from_config(config: &Config) -> Result<Option<Clipping>> {
        let keys: [(&str, Kind); 3] = [
            ("clipnorm", Clipping::Norm),
            ("global_clipnorm", Clipping::GlobalNorm),
            ("clipvalue", Clipping::Value),
        ];
        let mut found = None;
        for (key, clipping) in keys {
            if let Some(bound) = config.optional_float(key)? {
                if found.is_some() {
                    return Err(config.bad(key, "only one of clipnorm, clipvalue, global_clipnorm"));
                }
                found = Some((bound, clipping));
            }
        }
        Ok(found.filter(|(bound, _)| *bound > 0.0).map(|(bound, clipping)| clipping(bound)))
    }

    /// The bounded gradients.
    pub fn apply<'g>(self, graph: &'g Graph, gradients: Vec<Value<'g>>) -> Vec<Value<'g>> {
        match self {
            Clipping::Norm(bound) => gradients.into_iter().map(|g| clip_norm(g, bound)).collect(),
            Clipping::Value(bound) => {
                let clip =
                    |g: Value<'g>| g.maximum(g.scalar_like(-bound)).minimum(g.scalar_like(bound));
                gradients.into_iter().map(clip).collect()
            }
            Clipping::GlobalNorm(bound) => clip_global(graph, gradients, bound),
        }
    }
}

/// Sum of all squares.
pub fn square_sum(value: Value<'_>) -> Value<'_> {
    let axes: Vec<usize> = (0..value.rank()).collect();
    value.square().sum(&axes)
}

/// The root of the sum of all squares.
pub fn norm(value: Value<'_>) -> Value<'_> {
    square_sum(value).sqrt()
}

fn clip_norm(gradient: Value<'_>, bound: f64) -> Value<'_> {
    let norm = norm(gradient);
    gradient * bound / norm.maximum(norm.scalar_like(bound))
}

/// A norm that is not finite makes all gradients NaN, as in Keras.
fn clip_global<'g>(graph: &'g Graph, gradients: Vec<Value<'g>>, bound: f64) -> Vec<Value<'g>> {
    let sums = gradients.iter().map(|&g| square_sum(g));
    let Some(sum) = sums.reduce(|a, b| a + b.cast(a.dtype())) else { return gradients };
    let norm = sum.sqrt();
    let scale = (norm.scalar_like(1.0) / norm).minimum(norm.scalar_like(1.0 / bound)) * bound;
    let finite = norm.unary("isfinite");
    let scale = finite.select(scale, graph.scalar(f64::NAN, norm.dtype()));
    gradients.into_iter().map(|g| g * scale.cast(g.dtype())).collect()
}
