//! `keras.ops.math`.

use crate::base::{Error, Result};
use crate::graph::Value;
use crate::operations::call::Call;
use crate::operations::operations;
use crate::operations::promotion::{Kind, result_type};
use crate::operations::reductions::reduce;

operations! {
    /// Mathematical functions outside NumPy.
    MATH:
    Erf(x) |c| Ok(c.float(0)?.unary("erf"));
    Erfc(x) |c| {
        Ok(c.float(0)?.unary("erfc"))
    };
    Erfinv(x) |c| Ok(c.float(0)?.unary("erfinv"));
    Rsqrt(x) |c| Ok(c.float(0)?.rsqrt());
    CDist(x, y) |c| cdist(c);
    Logsumexp(x) { axis: null, keepdims: false } |c| log_sum_exp(c);
}

/// Distances of every row of `x` (…, m, n) to every row of `y` (…, k, n): (…, m, k).
fn cdist<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let (x, y) = c.pair()?;
    let (sx, sy) = (x.shape(), y.shape());
    if sx.rank() < 2 || sy.rank() < 2 || sx.last() != sy.last() {
        let expected = "matrices with rows of one length";
        return Err(Error::shape("cdist", format!("{sx} and {sy}"), expected));
    }
    let (mut rows, mut columns) = (sx.to_vec(), sy.to_vec());
    rows.insert(sx.rank() - 1, 1);
    columns.insert(sy.rank() - 2, 1);
    let difference = x.reshape(rows) - y.reshape(columns);
    let square = difference.square().sum(&[difference.rank().saturating_sub(1)]);
    let dtype = result_type(&[Kind::Strong(square.dtype()), Kind::WeakFloat]);
    Ok(square.cast(dtype).sqrt())
}

fn log_sum_exp<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.float(0)?;
    reduce(c, x, |x, axes| {
        let high = x.max(axes);
        // An infinite maximum would make a difference of infinities.
        let high = high.unary("isfinite").select(high, high.like(0.0)).stop_gradient();
        (x - high.keep_axes(&x.shape(), axes)).exp().sum(axes).log() + high
    })
}
