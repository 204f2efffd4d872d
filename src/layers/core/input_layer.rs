//! `keras.layers.InputLayer`: declares an input of a model. It is never called.

use crate::base::{DType, Error, Result, SymbolicShape};
use crate::builder;
use crate::layers::config::{Config, Json};
use crate::layers::layer::layer_base;
use crate::layers::{Args, Context, Layer, LayerBase, Outputs, SymbolicSpec};

builder! {
    /// Declares an input; `batch_shape` is a list whose unknown extents are null.
    InputLayer(batch_shape) {
        sparse: false,
        ragged: false,
        optional: false,
    }
}

struct DeclaredInput {
    base: LayerBase,
}

impl InputLayer {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        InputLayer::spec(config)?;
        config.optional_bool("optional")?;
        Ok(Box::new(DeclaredInput { base: LayerBase::without_policy("InputLayer", config)? }))
    }

    /// Shape, with the batch axis, and dtype of the declared input.
    pub(crate) fn spec(config: &Config) -> Result<SymbolicSpec> {
        // A sparse input takes dense tensors of the same numbers, in Keras too.
        config.optional_bool("sparse")?;
        if config.optional_bool("ragged")? == Some(true) {
            return Err(Error::Unsupported(format!("{}: ragged input", config.owner())));
        }
        let key = if config.is_null("batch_shape") { "batch_input_shape" } else { "batch_shape" };
        let bad = || config.bad(key, "a list of extents, null where unknown");
        let dims = config.get(key).as_array().ok_or_else(bad)?;
        let dim = |json: &Json| match json {
            Json::Null => Ok(None),
            n => n
                .as_u64()
                .filter(|&n| n <= u64::from(u32::MAX))
                .map(|n| Some(n as usize))
                .ok_or_else(bad),
        };
        let shape = SymbolicShape(dims.iter().map(dim).collect::<Result<_>>()?);
        let dtype = match config.get("dtype") {
            Json::Null => DType::Float32,
            Json::String(name) => {
                DType::from_name(name).map_err(|_| config.bad("dtype", "a dtype"))?
            }
            // A policy record, as written for inputs by some converters.
            _ => crate::layers::DTypePolicy::from_config(config)?.compute,
        };
        Ok(SymbolicSpec { shape, dtype })
    }
}

impl Layer for DeclaredInput {
    layer_base!();

    fn call<'g>(&self, _: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        Ok(args.input()?.into())
    }
}
