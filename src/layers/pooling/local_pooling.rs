//! `keras.layers.MaxPooling…D`, `AveragePooling…D`: the largest element or the mean of each window.
//! Padding takes no part in either.
//!
//! Input (batch, space…, channels) → output (batch, smaller space…, channels); with
//! `channels_first` the channel axis is axis 1 of both.

use crate::base::Result;
use crate::builder;
use crate::graph::ops::PoolMode;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::spatial::{DataFormat, Padding, Window};
use crate::layers::stateless::stateless;

macro_rules! pooling {
    ($($(#[$doc:meta])* $name:ident $mode:ident $rank:literal)*) => { $(
        builder! {
            $(#[$doc])*
            $name() {
                pool_size: 2,
                padding: "valid",
                strides: null,
                data_format: null,
            }
        }

        impl $name {
            pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
                pooling(stringify!($name), PoolMode::$mode, $rank, config)
            }
        }
    )* };
}

pooling! {
    /// Largest element of each window along one spatial axis.
    MaxPooling1D Max 1
    /// Largest element of each window over two spatial axes.
    MaxPooling2D Max 2
    /// Largest element of each window over three spatial axes.
    MaxPooling3D Max 3
    /// Mean of each window along one spatial axis.
    AveragePooling1D Average 1
    /// Mean of each window over two spatial axes.
    AveragePooling2D Average 2
    /// Mean of each window over three spatial axes.
    AveragePooling3D Average 3
}

fn pooling(
    class_name: &'static str,
    mode: PoolMode,
    rank: usize,
    config: &Config,
) -> Result<Box<dyn Layer>> {
    let size = config.sizes("pool_size", rank)?;
    let strides = if config.is_null("strides") { "pool_size" } else { "strides" };
    let stride = config.sizes(strides, rank)?;
    let padding = Padding::from_config(config, false)?;
    let window = Window::new(rank, [&size, &stride, &vec![1; rank]], padding);
    let format = DataFormat::from_config(config)?;
    stateless(class_name, config, move |_, args| {
        Ok(format.restore(window.pool(format.to_last(args.input()?), mode)?))
    })
}
