//! Arrays that a file holds as arguments of a layer's call, such as a mask made with NumPy.

use crate::base::{DType, Result};
use crate::layers::config::Json;
use crate::layers::numbers::array;
use crate::layers::{Arg, CallArgs};
use crate::tensor::Tensor;

/// The array of a JSON value in the dtype that its record names or Keras would give it. The 64 bits
/// that NumPy takes by default become 32, as with JAX; integers only where all fit.
pub(crate) fn constant(json: &Json) -> Result<Tensor> {
    let tensor = array(json)?;
    let dtype = match json.pointer("/config/dtype").and_then(Json::as_str) {
        Some(name) => match DType::from_name(name)? {
            DType::Float64 => DType::Float32,
            DType::Int64 if tensor.iter_f64().all(|x| f64::from(x as i32) == x) => DType::Int32,
            dtype => dtype,
        },
        None if all_leaves(json, &Json::is_boolean) => DType::Bool,
        None if all_leaves(json, &|j| j.is_i64() || j.is_u64()) => DType::Int32,
        None => DType::Float32,
    };
    Ok(tensor.cast(dtype))
}

fn all_leaves(json: &Json, is: &dyn Fn(&Json) -> bool) -> bool {
    match json {
        Json::Array(items) => !items.is_empty() && items.iter().all(|item| all_leaves(item, is)),
        leaf => is(leaf),
    }
}

/// Whether a plain value is the record of an array.
fn is_record(json: &Json) -> bool {
    matches!(json.get("class_name").and_then(Json::as_str), Some("__numpy__" | "__tensor__"))
}

impl<T> CallArgs<T> {
    /// The same call with a tensor in the place of every record of an array.
    ///
    /// # Errors
    /// If a record holds something else than numbers.
    pub(crate) fn with_constants(self, make: &dyn Fn(Tensor) -> T) -> Result<CallArgs<T>> {
        let positional = self.positional.into_iter().map(|arg| arg.with_constants(make));
        let keyword = self.keyword.into_iter();
        Ok(CallArgs {
            positional: positional.collect::<Result<_>>()?,
            keyword: keyword
                .map(|(name, arg)| Ok((name, arg.with_constants(make)?)))
                .collect::<Result<_>>()?,
        })
    }
}

impl<T> Arg<T> {
    fn with_constants(self, make: &dyn Fn(Tensor) -> T) -> Result<Arg<T>> {
        Ok(match self {
            Arg::Plain(json) if is_record(&json) => Arg::Tensor(make(constant(&json)?)),
            Arg::Plain(Json::Array(items)) if items.iter().any(is_record) => {
                let items = items.into_iter().map(|item| Arg::Plain(item).with_constants(make));
                Arg::List(items.collect::<Result<_>>()?)
            }
            Arg::List(items) => {
                let items = items.into_iter().map(|item| item.with_constants(make));
                Arg::List(items.collect::<Result<_>>()?)
            }
            Arg::Dict(items) => {
                let items = items.into_iter();
                let items = items.map(|(key, item)| Ok((key, item.with_constants(make)?)));
                Arg::Dict(items.collect::<Result<_>>()?)
            }
            arg => arg,
        })
    }
}
