//! `keras.layers.Permute`: axes in another order; output axis i is input axis `dims[i − 1]`. The
//! batch axis stays first, and `dims` counts from 1.

use crate::base::{Error, Result};
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::stateless::stateless;

builder! {
    /// Reorders the axes behind the batch; `dims` holds their numbers from 1.
    Permute(dims) {}
}

impl Permute {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let dims = config.ints("dims")?;
        let mut sorted = dims.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(1..=dims.len() as i64) {
            return Err(config.bad("dims", "the numbers from 1 to the rank, each once"));
        }
        let axes: Vec<usize> = [0].into_iter().chain(dims.iter().map(|&d| d as usize)).collect();
        stateless("Permute", config, move |_, args| {
            let x = args.input()?;
            if x.rank() != axes.len() {
                let expected = format!("{} axes", axes.len());
                return Err(Error::shape("permute", x.shape().to_string(), expected));
            }
            Ok(x.transpose(&axes))
        })
    }
}
