//! `keras.layers.Flatten`: all axes but the first become one.
//!
//! Input (batch, …) → output (batch, product of …); a `channels_first` input is first brought to
//! channels last.

use crate::base::{Error, Result};
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::spatial::DataFormat;
use crate::layers::stateless::stateless;

builder! {
    /// Makes one axis of all but the batch.
    Flatten() {
        data_format: null,
    }
}

impl Flatten {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let format = DataFormat::from_config(config)?;
        stateless("Flatten", config, move |_, args| {
            let x = format.to_last(args.input()?);
            let shape = x.shape();
            match shape.split_first() {
                Some((&batch, rest)) => Ok(x.reshape([batch, rest.iter().product()])),
                None => Err(Error::shape("flatten", "a scalar", "a batch axis")),
            }
        })
    }
}
