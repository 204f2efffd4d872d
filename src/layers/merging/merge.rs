//! `keras.layers.Add`, `Subtract`, `Multiply`, `Average`, `Maximum`, `Minimum`: element by element
//! over a list of inputs.
//!
//! Inputs broadcast; one of lower rank gets its missing axes behind the batch.

use crate::base::{DType, Error, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::layers::stateless::{MaskRule, stateless_masked};
use crate::layers::{Args, Layer};

macro_rules! merge {
    ($($(#[$doc:meta])* $name:ident $f:expr;)*) => { $(
        builder! {
            $(#[$doc])*
            $name() {}
        }

        impl $name {
            pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
                let f: for<'g> fn(&[Value<'g>]) -> Result<Value<'g>> = $f;
                stateless_masked(stringify!($name), config, Any, move |_, args| f(&operands(args)?))
            }
        }
    )* };
}

merge! {
    /// Sum of all inputs.
    Add |x| fold(x, |a, b| a + b);
    /// First input less the second.
    Subtract |x| match x {
        [a, b] => Ok(*a - *b),
        _ => Err(Error::shape("subtract", format!("{} inputs", x.len()), "two inputs")),
    };
    /// Product of all inputs.
    Multiply |x| fold(x, |a, b| a * b);
    /// Mean of all inputs.
    Average |x| {
        let sum = fold(x, |a, b| a + b)?;
        let sum = if sum.dtype().is_float() { sum } else { sum.cast(DType::Float32) };
        Ok(sum / x.len() as f64)
    };
    /// Largest element of all inputs.
    Maximum |x| fold(x, Value::maximum);
    /// Smallest element of all inputs.
    Minimum |x| fold(x, Value::minimum);
}

/// Where every input has a mask, a step counts that counts in one of them.
struct Any;

impl MaskRule for Any {
    fn mask<'g>(&self, _: &Args<'g>, masks: &[Option<Value<'g>>]) -> Result<Option<Value<'g>>> {
        let all: Option<Vec<Value<'g>>> = masks.iter().copied().collect();
        let all = all.unwrap_or_default().into_iter().map(|mask| mask.cast(DType::Bool));
        Ok(all.reduce(|a, b| a.binary("or", b)))
    }
}

fn fold<'g>(
    values: &[Value<'g>],
    f: impl Fn(Value<'g>, Value<'g>) -> Value<'g>,
) -> Result<Value<'g>> {
    let result = values.iter().copied().reduce(f);
    result.ok_or_else(|| Error::shape("merge", "no inputs", "at least one"))
}

/// The inputs of a call, with axes of extent 1 behind the batch where the rank is lower.
fn operands<'g>(args: &Args<'g>) -> Result<Vec<Value<'g>>> {
    let inputs = args.inputs()?;
    let rank = inputs.iter().map(|x| x.rank()).max().unwrap_or(0);
    let expand = |x: Value<'g>| {
        let mut extents = x.shape().to_vec();
        let missing = rank - extents.len();
        let behind_batch = extents.len().min(1);
        extents.splice(behind_batch..behind_batch, std::iter::repeat_n(1, missing));
        x.reshape(extents)
    };
    Ok(inputs.into_iter().map(expand).collect())
}
