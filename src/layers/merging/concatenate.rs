//! `keras.layers.Concatenate`: inputs joined along one axis, in the dtype that holds
//! them all; all other extents agree.

use crate::base::{DType, Error, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::layers::stateless::{MaskRule, stateless_masked};
use crate::layers::{Args, Layer};
use crate::operations::promotion::common_dtype;

builder! {
    /// Joins a list of inputs along one axis.
    Concatenate() {
        axis: (-1),
    }
}

impl Concatenate {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let axis = config.int("axis")?;
        stateless_masked("Concatenate", config, Joined { axis }, move |cx, args| {
            let inputs = args.inputs()?;
            let none = || Error::shape("concatenate", "no inputs", "at least one");
            let axis = inputs.first().ok_or_else(none)?.shape().axis(axis)?;
            let dtype = common_dtype(&inputs);
            let inputs: Vec<Value> = inputs.into_iter().map(|x| x.cast(dtype)).collect();
            Ok(cx.graph().concat(&inputs, axis))
        })
    }
}

/// Masks joined as the inputs are, those of inputs without one being true; a step counts that has a
/// true element along the last axis.
struct Joined {
    axis: i64,
}

impl MaskRule for Joined {
    fn mask<'g>(&self, args: &Args<'g>, masks: &[Option<Value<'g>>]) -> Result<Option<Value<'g>>> {
        if masks.iter().all(Option::is_none) {
            return Ok(None);
        }
        let inputs = args.inputs()?;
        let none = || Error::shape("concatenate", "no inputs", "at least one");
        let first = *inputs.first().ok_or_else(none)?;
        let whole = |(x, mask): (&Value<'g>, &Option<Value<'g>>)| {
            let shape = x.shape();
            let Some(mask) = mask.map(|mask| mask.cast(DType::Bool)) else {
                return x.like(1.0).cast(DType::Bool);
            };
            if mask.rank() >= shape.rank() {
                return mask;
            }
            let mut extents = mask.shape().to_vec();
            extents.push(1);
            mask.reshape(extents).broadcast(shape)
        };
        let parts: Vec<Value<'g>> = inputs.iter().zip(masks).map(whole).collect();
        let joined = first.graph().concat(&parts, first.shape().axis(self.axis)?);
        let last = joined.rank().saturating_sub(1);
        Ok(Some(joined.cast(DType::Bool).max(&[last])))
    }
}
