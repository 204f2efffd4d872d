//! `keras.ops.core`.

use crate::base::{DType, Error, Result, Shape};
use crate::graph::Value;
use crate::layers::Arg;
use crate::operations::call::Call;
use crate::operations::shapes::MAX_PIECES;
use crate::operations::{operations, saturating};

operations! {
    /// Conversions and slices.
    CORE:
    Cast(x) { dtype: null } |c| {
        // Keras's default is its `floatx`.
        Ok(c.value(0)?.cast(c.dtype("dtype")?.unwrap_or(DType::Float32)))
    };
    SaturateCast(x) { dtype: null } |c| {
        Ok(saturating::cast(c.value(0)?, c.dtype("dtype")?.unwrap_or(DType::Float32)))
    };
    ConvertToTensor(x) { dtype: null, sparse: null, ragged: null } |c| {
        if ["sparse", "ragged"].iter().any(|key| c.config.get(key).as_bool() == Some(true)) {
            return Err(Error::Unsupported("sparse and ragged tensors".into()));
        }
        let x = c.value(0)?;
        Ok(c.dtype("dtype")?.map_or(x, |dtype| x.cast(dtype)))
    };
    StopGradient(variable) |c| Ok(c.value(0)?.stop_gradient());
    Slice(inputs, start_indices) { shape: null } |c| slice(c);
    Unstack(x) { num: null, axis: 0 } |c| unstack(c);
}

/// `shape` elements from `start_indices` on, which are clamped so that all are inside.
fn slice<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.value(0)?;
    let shape = x.shape();
    if !matches!(c.arg(1), None | Some(Arg::Plain(_))) {
        let sizes = c.config.ints("shape")?.into_iter().map(usize::try_from);
        let sizes = sizes.collect::<std::result::Result<Vec<usize>, _>>();
        let expected = "known extents where the start is a tensor";
        let sizes = sizes.map_err(|_| c.config.bad("shape", expected))?;
        return super::scatter::dynamic_slice(c, x, &sizes.into());
    }
    let starts = c.plain(1).and_then(|json| {
        json.as_array()?.iter().map(serde_json::Value::as_i64).collect::<Option<Vec<i64>>>()
    });
    let starts = starts.ok_or_else(|| c.bad(1, "a list of integers"))?;
    let sizes = c.config.ints("shape")?;
    if starts.len() != shape.rank() || sizes.len() != shape.rank() {
        return Err(c.config.bad("shape", &format!("one extent for each axis of {shape}")));
    }
    let extent = |(&n, &d): (&i64, &usize)| match n {
        -1 => Some(d),
        n => usize::try_from(n).ok().filter(|&n| n <= d),
    };
    let size: Option<Vec<usize>> = sizes.iter().zip(shape.iter()).map(extent).collect();
    let size = size.ok_or_else(|| c.config.bad("shape", &format!("extents within {shape}")))?;
    let start: Vec<usize> = starts
        .iter()
        .zip(shape.iter().zip(&size))
        .map(|(&start, (&d, &n))| usize::try_from(start).unwrap_or(0).min(d - n))
        .collect();
    Ok(x.slice(&start, &size, &vec![1; size.len()]))
}

fn unstack<'g>(c: &Call<'_, 'g>) -> Result<Vec<Value<'g>>> {
    let x = c.value(0)?;
    let shape = x.shape();
    let axis = c.axis("axis", &shape)?;
    let count = c.config.optional_size("num")?.unwrap_or(shape[axis]);
    if count != shape[axis] || count > MAX_PIECES {
        let expected = format!("the extent {} of axis {axis}, at most {MAX_PIECES}", shape[axis]);
        return Err(c.config.bad("num", &expected));
    }
    let kept: Shape =
        shape.iter().enumerate().filter(|(i, _)| *i != axis).map(|(_, &d)| d).collect();
    Ok((0..count).map(|i| x.narrow(axis, i, 1).reshape(kept.clone())).collect())
}
