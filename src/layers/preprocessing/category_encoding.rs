//! `keras.layers.CategoryEncoding`: integer categories as one-hot, multi-hot or counts.
//!
//! Input (batch, …) of integers → output (batch, …, num_tokens); `multi_hot` and `count` combine the
//! axis behind the batch.

use super::encoding::OutputMode;
use crate::base::{DType, Error, Result};
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::stateless::stateless_with;

builder! {
    /// Writes categories as vectors.
    CategoryEncoding(num_tokens) {
        output_mode: "multi_hot",
        sparse: false,
    }
}

impl CategoryEncoding {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let num_tokens = config.size("num_tokens")?;
        let mode = OutputMode::from_config(config, false)?;
        stateless_with("CategoryEncoding", config, &["count_weights"], move |cx, args| {
            let weights = args.tensor(1, "count_weights")?;
            if weights.is_some() && mode != OutputMode::Count {
                let what = "count_weights without output_mode \"count\"";
                return Err(Error::Invalid(what.into()));
            }
            let categories = args.input()?.cast(DType::Int32);
            Ok(mode.encode(categories, num_tokens, cx.compute_dtype(), weights))
        })
    }
}
