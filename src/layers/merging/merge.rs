//! `keras.layers.Add`, `Subtract`, `Multiply`, `Average`, `Maximum`, `Minimum`: element by element
//! over a list of inputs.
//!
//! Inputs broadcast; one of lower rank gets its missing axes behind the batch. With masks, Multiply,
//! Maximum and Minimum leave out what does not count; where all inputs are masked, the output's mask is
//! the disjunction.

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
                let mask = Box::new(disjunction) as Box<MaskRule>;
                stateless_masked(stringify!($name), config, mask, move |_, args| f(&operands(args)?))
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
    Multiply |x| product(x);
    /// Mean of all inputs.
    Average |x| {
        let sum = fold(x, |a, b| a + b)?;
        let sum = if sum.dtype().is_float() { sum } else { sum.cast(DType::Float32) };
        Ok(sum / x.len() as f64)
    };
    /// Largest element of all inputs.
    Maximum |x| extreme(x, Value::maximum);
    /// Smallest element of all inputs.
    Minimum |x| extreme(x, Value::minimum);
}

fn fold<'g>(
    values: &[Value<'g>],
    f: impl Fn(Value<'g>, Value<'g>) -> Value<'g>,
) -> Result<Value<'g>> {
    let result = values.iter().copied().reduce(f);
    result.ok_or_else(|| Error::shape("merge", "no inputs", "at least one"))
}

/// Where any of the masks says that a step counts; none if one of them is missing.
fn any_of<'g>(masks: &[Option<Value<'g>>]) -> Option<Value<'g>> {
    let masks: Option<Vec<Value<'g>>> = masks.iter().copied().collect();
    masks?.into_iter().reduce(|a, b| a.binary("or", b))
}

/// The mask of the output.
fn disjunction<'g>(_: &Args<'g>, masks: &[Option<Value<'g>>]) -> Result<Option<Value<'g>>> {
    Ok(any_of(masks))
}

/// The mask of a value, for each of its elements.
fn mask_of_elements(x: Value<'_>) -> Option<Value<'_>> {
    let mask = x.mask()?;
    let mut extents = mask.shape().to_vec();
    extents.push(1);
    Some(mask.reshape(extents).broadcast(x.shape()))
}

/// The product of what counts; zero where nothing does and all inputs are masked.
fn product<'g>(values: &[Value<'g>]) -> Result<Value<'g>> {
    let masks: Vec<Option<Value<'g>>> = values.iter().map(|x| mask_of_elements(*x)).collect();
    let counted: Vec<Value<'g>> = values
        .iter()
        .zip(&masks)
        .map(|(x, mask)| mask.map_or(*x, |mask| mask.select(*x, x.like(1.0))))
        .collect();
    let product = fold(&counted, |a, b| a * b)?;
    Ok(any_of(&masks).map_or(product, |mask| mask.select(product, product.like(0.0))))
}

/// The largest or smallest of what counts, as far as neighbours in the list can tell.
fn extreme<'g>(
    values: &[Value<'g>],
    f: impl Fn(Value<'g>, Value<'g>) -> Value<'g>,
) -> Result<Value<'g>> {
    let masked = values.iter().map(|x| (*x, mask_of_elements(*x)));
    let result = masked.reduce(|(a, counts_a), (b, counts_b)| {
        let b = counts_b.map_or(b, |counts| counts.select(b, a));
        let a = counts_a.map_or(a, |counts| counts.select(a, b));
        (f(a, b), any_of(&[counts_a, counts_b]))
    });
    let (result, _) = result.ok_or_else(|| Error::shape("merge", "no inputs", "at least one"))?;
    Ok(result)
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
