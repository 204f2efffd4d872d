//! `keras.layers.Concatenate`: inputs joined along one axis; all other extents agree.

use crate::base::{DType, Error, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::stateless::{MaskRule, stateless_masked};

builder! {
    /// Joins a list of inputs along one axis.
    Concatenate() {
        axis: (-1),
    }
}

impl Concatenate {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let axis = config.int("axis")?;
        let mask: Box<MaskRule> = Box::new(move |args, masks| joined(&args.inputs()?, masks, axis));
        stateless_masked("Concatenate", config, mask, move |cx, args| {
            let inputs = args.inputs()?;
            let none = || Error::shape("concatenate", "no inputs", "at least one");
            let axis = inputs.first().ok_or_else(none)?.shape().axis(axis)?;
            Ok(cx.graph().concat(&inputs, axis))
        })
    }
}

/// The mask of the output: steps of which any feature comes from a step that counts. An input without
/// a mask counts everywhere.
fn joined<'g>(
    inputs: &[Value<'g>],
    masks: &[Option<Value<'g>>],
    axis: i64,
) -> Result<Option<Value<'g>>> {
    if masks.iter().all(Option::is_none) {
        return Ok(None);
    }
    let of_elements = inputs.iter().zip(masks).map(|(x, mask)| match mask {
        None => x.like(1.0).cast(DType::Bool).broadcast(x.shape()),
        Some(mask) if mask.rank() < x.rank() => {
            let mut extents = mask.shape().to_vec();
            extents.push(1);
            mask.reshape(extents).broadcast(x.shape())
        }
        Some(mask) => *mask,
    });
    let of_elements: Vec<Value<'g>> = of_elements.collect();
    let Some(first) = of_elements.first() else { return Ok(None) };
    let all = first.graph().concat(&of_elements, first.shape().axis(axis)?);
    Ok(Some(all.max(&[all.rank().saturating_sub(1)])))
}
