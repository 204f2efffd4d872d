//! `keras.ops.math`.

use crate::base::Result;
use crate::graph::Value;
use crate::operations::call::Call;
use crate::operations::operations;
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
    Logsumexp(x) { axis: null, keepdims: false } |c| log_sum_exp(c);
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
