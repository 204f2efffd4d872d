//! `keras.layers.Add`, `Subtract`, `Multiply`, `Average`, `Maximum`, `Minimum`: element by element
//! over a list of inputs.
//!
//! Inputs broadcast and are promoted to one dtype, two by two; one of lower rank gets its missing axes
//! behind the batch. Where every input comes with a mask, a step counts that counts in one of them.
//! Products and extremes leave out what a mask says not to count.

use crate::base::{DType, Error, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::layers::layer::layer_base;
use crate::layers::{Args, Context, Layer, LayerBase, Outputs};
use crate::operations::promotion::promoted;

/// The operation, on inputs of one rank and the masks that come with them.
type Merge = for<'g> fn(&[Value<'g>], &[Option<Value<'g>>]) -> Result<Value<'g>>;

struct MergeLayer {
    base: LayerBase,
    merge: Merge,
}

macro_rules! merge {
    ($($(#[$doc:meta])* $name:ident $f:expr;)*) => { $(
        builder! {
            $(#[$doc])*
            $name() {}
        }

        impl $name {
            pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
                let base = LayerBase::new(stringify!($name), config)?;
                Ok(Box::new(MergeLayer { base, merge: $f }))
            }
        }
    )* };
}

merge! {
    /// Sum of all inputs.
    Add |x, _| fold(x, sum);
    /// First input less the second.
    Subtract |x, _| match x {
        &[a, b] => {
            let [a, b] = promoted([a, b]);
            Ok(a - b)
        }
        _ => Err(Error::shape("subtract", format!("{} inputs", x.len()), "two inputs")),
    };
    /// Product of all inputs.
    Multiply product;
    /// Mean of all inputs.
    Average |x, _| {
        let sum = fold(x, sum)?;
        let whole = sum.dtype().is_int() || sum.dtype() == DType::Bool;
        let sum = if whole { sum.cast(DType::Float32) } else { sum };
        Ok(sum / x.len() as f64)
    };
    /// Largest element of all inputs.
    Maximum |x, masks| extreme(x, masks, Value::maximum);
    /// Smallest element of all inputs.
    Minimum |x, masks| extreme(x, masks, Value::minimum);
}

/// Booleans add up to whether one of them is true.
fn sum<'g>(a: Value<'g>, b: Value<'g>) -> Value<'g> {
    if a.dtype() == DType::Bool { a.binary("or", b) } else { a + b }
}

fn fold<'g>(
    values: &[Value<'g>],
    f: impl Fn(Value<'g>, Value<'g>) -> Value<'g>,
) -> Result<Value<'g>> {
    let result = values.iter().copied().reduce(|a, b| {
        let [a, b] = promoted([a, b]);
        f(a, b)
    });
    result.ok_or_else(|| Error::shape("merge", "no inputs", "at least one"))
}

/// Which elements of an input its mask lets count.
fn counting<'g>(x: Value<'g>, mask: Option<Value<'g>>) -> Option<Value<'g>> {
    let mask = mask?.cast(DType::Bool);
    let mut extents = mask.shape().to_vec();
    extents.push(1);
    Some(mask.reshape(extents).broadcast(x.shape()))
}

/// Elements that do not count are ones; where all inputs have masks, what counts in none is zero.
fn product<'g>(x: &[Value<'g>], masks: &[Option<Value<'g>>]) -> Result<Value<'g>> {
    let counts: Vec<Option<Value<'g>>> =
        x.iter().enumerate().map(|(i, &x)| counting(x, masks.get(i).copied().flatten())).collect();
    let factor = |(x, counts): (&Value<'g>, &Option<Value<'g>>)| match counts {
        Some(counts) => counts.select(*x, x.like(1.0)),
        None => *x,
    };
    let factors: Vec<Value<'g>> = x.iter().zip(&counts).map(factor).collect();
    let product = fold(&factors, |a, b| a * b)?;
    let all: Option<Vec<Value<'g>>> = counts.into_iter().collect();
    let any = all.and_then(|all| all.into_iter().reduce(|a, b| a.binary("or", b)));
    Ok(any.map_or(product, |any| any.select(product, product.like(0.0))))
}

/// An element that does not count gives way to the one on the other side.
fn extreme<'g>(
    x: &[Value<'g>],
    masks: &[Option<Value<'g>>],
    f: impl Fn(Value<'g>, Value<'g>) -> Value<'g>,
) -> Result<Value<'g>> {
    let mut all =
        x.iter().enumerate().map(|(i, &x)| (x, counting(x, masks.get(i).copied().flatten())));
    let none = || Error::shape("merge", "no inputs", "at least one");
    let (mut output, mut output_counts) = all.next().ok_or_else(none)?;
    for (x, counts) in all {
        let [x, other] = promoted([x, output]);
        output = other;
        let x = counts.map_or(x, |counts| counts.select(x, output));
        output = output_counts.map_or(output, |counts| counts.select(output, x));
        output_counts = counts.zip(output_counts).map(|(a, b)| a.binary("or", b));
        output = f(output, x);
    }
    Ok(output)
}

/// The inputs of a call, with axes of extent 1 behind the batch where the rank is lower, and their
/// masks, which an input loses that gets such axes.
fn operands<'g>(
    args: &Args<'g>,
    masks: &[Option<Value<'g>>],
) -> Result<(Vec<Value<'g>>, Vec<Option<Value<'g>>>)> {
    let inputs = args.inputs()?;
    let rank = inputs.iter().map(|x| x.rank()).max().unwrap_or(0);
    let expand = |(i, x): (usize, Value<'g>)| {
        let mut extents = x.shape().to_vec();
        let missing = rank - extents.len();
        let behind_batch = extents.len().min(1);
        extents.splice(behind_batch..behind_batch, std::iter::repeat_n(1, missing));
        (x.reshape(extents), masks.get(i).copied().flatten().filter(|_| missing == 0))
    };
    Ok(inputs.into_iter().enumerate().map(expand).unzip())
}

impl Layer for MergeLayer {
    layer_base!();

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        self.call_with_masks(cx, args, &[]).map(|(output, _)| output)
    }

    fn call_with_masks<'g>(
        &self,
        _: &Context<'g>,
        args: &Args<'g>,
        masks: &[Option<Value<'g>>],
    ) -> Result<(Outputs<'g>, Vec<Option<Value<'g>>>)> {
        let (inputs, own) = operands(args, masks)?;
        let output = (self.merge)(&inputs, &own)?;
        let all: Option<Vec<Value<'g>>> = masks.iter().copied().collect();
        let all = all.unwrap_or_default().into_iter().map(|mask| mask.cast(DType::Bool));
        Ok((output.into(), vec![all.reduce(|a, b| a.binary("or", b))]))
    }
}
