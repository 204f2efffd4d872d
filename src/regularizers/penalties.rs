//! The penalties of Keras.

use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::layers::config::Config;
use crate::operations::formulas::normalize;
use crate::regularizers::Regularizer;

/// A coefficient: null for the default.
fn coefficient(config: &Config, key: &str, default: Option<f64>) -> Result<Option<f64>> {
    let Some(default) = default else { return Ok(None) };
    let value = config.optional_float(key)?.unwrap_or(default);
    match value.is_finite() && value >= 0.0 {
        true => Ok(Some(value)),
        false => Err(config.bad(key, "a finite number that is not negative")),
    }
}

/// `L1`, `L2` and `L1L2`: `l1 · Σ|x| + l2 · Σx²`.
pub(super) struct L1L2 {
    l1: Option<f64>,
    l2: Option<f64>,
}

impl L1L2 {
    /// A penalty with the terms that have a default.
    pub(super) fn new(config: &Config, l1: Option<f64>, l2: Option<f64>) -> Result<L1L2> {
        let (l1, l2) = (coefficient(config, "l1", l1)?, coefficient(config, "l2", l2)?);
        Ok(L1L2 { l1, l2 })
    }
}

impl Regularizer for L1L2 {
    fn call<'g>(&self, x: Value<'g>) -> Result<Value<'g>> {
        let sum = |x: Value<'g>| x.sum(&(0..x.rank()).collect::<Vec<_>>());
        let mut penalty = x.scalar_like(0.0);
        if let Some(l1) = self.l1.filter(|&l1| l1 != 0.0) {
            penalty = penalty + sum(x.abs()) * l1;
        }
        if let Some(l2) = self.l2.filter(|&l2| l2 != 0.0) {
            penalty = penalty + sum(x.square()) * l2;
        }
        Ok(penalty)
    }
}

/// `OrthogonalRegularizer`: how far rows or columns of a matrix are from right angles.
pub(super) struct Orthogonal {
    factor: f64,
    columns: bool,
}

impl Orthogonal {
    pub(super) fn new(config: &Config) -> Result<Orthogonal> {
        let bad = || config.bad("factor", "a finite number that is not negative");
        let factor = coefficient(config, "factor", Some(0.01))?.ok_or_else(bad)?;
        let columns = config.choice("mode", &[("rows", false), ("columns", true)])?;
        Ok(Orthogonal { factor, columns })
    }
}

impl Regularizer for Orthogonal {
    fn call<'g>(&self, x: Value<'g>) -> Result<Value<'g>> {
        let &[rows, columns] = x.shape().as_slice() else {
            let found = x.shape().to_string();
            return Err(Error::shape("OrthogonalRegularizer", found, "a matrix"));
        };
        let (along, size) = if self.columns { (0, columns) } else { (1, rows) };
        let lines = normalize(x, along).reshape([1, rows, columns]);
        let product = lines.matmul_flags(lines, self.columns, !self.columns);
        let product = product.reshape([size, size]);
        let graph = x.graph();
        let diagonal = graph.iota([size, size], 0).binary("eq", graph.iota([size, size], 1));
        let others = diagonal.select(product.like(0.0), product).abs().sum(&[0, 1]);
        let pairs = size as f64 * (size as f64 - 1.0) / 2.0;
        // The factor is a float32 tensor in Keras, so the penalty is at least that wide.
        let dtype = if x.dtype() == DType::Float64 { x.dtype() } else { DType::Float32 };
        Ok((others * 0.5).cast(dtype) * self.factor / pairs)
    }
}
