//! `keras.layers.Reshape`: the elements of each sample in another shape.
//!
//! Input (batch, …) → output (batch, target_shape…); one −1 in the target stands for what is left.

use crate::base::{Error, Result, Shape};
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::{Config, Json};
use crate::layers::stateless::stateless;

builder! {
    /// Reshapes each sample; the target is a list, −1 stands for what is left.
    Reshape(target_shape) {}
}

impl Reshape {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let target = target_shape(config)?;
        stateless("Reshape", config, move |_, args| {
            let x = args.input()?;
            let shape = x.shape();
            let Some((&batch, rest)) = shape.split_first() else {
                return Err(Error::shape("reshape", "a scalar", "a batch axis"));
            };
            let mut extents = vec![batch];
            extents.extend_from_slice(&resolve_shape(&target, &Shape::from(rest))?);
            Ok(x.reshape(extents))
        })
    }
}

/// The key `target_shape`: extents, `None` for the one that is left.
fn target_shape(config: &Config) -> Result<Vec<Option<usize>>> {
    let bad = || config.bad("target_shape", "extents, one of which may be -1");
    let extent = |n: i64| match n {
        -1 => Ok(None),
        n => usize::try_from(n).map(Some).map_err(|_| bad()),
    };
    let ints = match config.get("target_shape") {
        Json::Array(_) => config.ints("target_shape")?,
        _ => return Err(bad()),
    };
    let target: Vec<Option<usize>> = ints.into_iter().map(extent).collect::<Result<_>>()?;
    if target.iter().filter(|d| d.is_none()).count() > 1 {
        return Err(bad());
    }
    Ok(target)
}

/// The target with its unknown extent, of which there is at most one, filled in.
pub(crate) fn resolve_shape(target: &[Option<usize>], shape: &Shape) -> Result<Shape> {
    let misfit = || {
        let extent = |d: &Option<usize>| d.map_or("-1".into(), |d| d.to_string());
        let target: Vec<String> = target.iter().map(extent).collect();
        let found = format!("{shape} to ({})", target.join(", "));
        Error::shape("reshape", found, "the same number of elements")
    };
    let known = target.iter().flatten().try_fold(1usize, |n, &d| n.checked_mul(d));
    let known = known.ok_or_else(misfit)?;
    let missing = match known {
        0 => 0,
        n => shape.len() / n,
    };
    let resolved: Shape = target.iter().map(|d| d.unwrap_or(missing)).collect();
    if resolved.len() == shape.len() { Ok(resolved) } else { Err(misfit()) }
}
