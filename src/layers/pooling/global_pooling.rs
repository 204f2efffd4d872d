//! `keras.layers.GlobalMaxPooling…D`, `GlobalAveragePooling…D`: largest element or mean over all of
//! space. `GlobalAveragePooling1D` takes a mask of the steps that count.
//!
//! Input (batch, space…, channels) → output (batch, channels); with `keepdims` the spatial axes stay
//! with extent 1.

use crate::base::{DType, Error, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::spatial::DataFormat;
use crate::layers::stateless::{stateless, stateless_with};

macro_rules! global_pooling {
    ($($(#[$doc:meta])* $name:ident $new:ident $reduce:ident $rank:literal)*) => { $(
        builder! {
            $(#[$doc])*
            $name() {
                data_format: null,
                keepdims: false,
            }
        }

        impl $name {
            pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
                $new(stringify!($name), $reduce, $rank, config)
            }
        }
    )* };
}

global_pooling! {
    /// Largest element along one spatial axis.
    GlobalMaxPooling1D global largest 1
    /// Largest element over two spatial axes.
    GlobalMaxPooling2D global largest 2
    /// Largest element over three spatial axes.
    GlobalMaxPooling3D global largest 3
    /// Mean along one spatial axis, over the steps that a mask leaves.
    GlobalAveragePooling1D masked mean 1
    /// Mean over two spatial axes.
    GlobalAveragePooling2D global mean 2
    /// Mean over three spatial axes.
    GlobalAveragePooling3D global mean 3
}

fn largest<'g>(x: Value<'g>, axes: &[usize]) -> Value<'g> {
    x.max(axes)
}

/// The mean, in float32 for whole numbers.
fn mean<'g>(x: Value<'g>, axes: &[usize]) -> Value<'g> {
    let whole = x.dtype().is_int() || x.dtype() == DType::Bool;
    if whole { x.cast(DType::Float32).mean(axes) } else { x.mean(axes) }
}

type ReduceFn = for<'g> fn(Value<'g>, &[usize]) -> Value<'g>;

/// The spatial part of inputs of one rank.
#[derive(Clone, Copy)]
struct Space {
    rank: usize,
    format: DataFormat,
    keepdims: bool,
}

impl Space {
    fn from_config(config: &Config, rank: usize) -> Result<Space> {
        let format = DataFormat::from_config(config)?;
        Ok(Space { rank, format, keepdims: config.bool("keepdims")? })
    }

    fn reduce<'g>(
        self,
        x: Value<'g>,
        f: impl Fn(Value<'g>, &[usize]) -> Value<'g>,
    ) -> Result<Value<'g>> {
        let shape = x.shape();
        if shape.rank() != self.rank + 2 {
            let expected = format!("a batch, {} spatial axes and channels", self.rank);
            return Err(Error::shape("global pooling", shape.to_string(), expected));
        }
        let first = self.format.first_spatial_axis();
        let axes: Vec<usize> = (first..first + self.rank).collect();
        let y = f(x, &axes);
        Ok(if self.keepdims { y.keep_axes(&shape, &axes) } else { y })
    }
}

fn global(
    class_name: &'static str,
    reduce: ReduceFn,
    rank: usize,
    config: &Config,
) -> Result<Box<dyn Layer>> {
    let space = Space::from_config(config, rank)?;
    stateless(class_name, config, move |_, args| space.reduce(args.input()?, reduce))
}

fn masked(
    class_name: &'static str,
    mean: ReduceFn,
    rank: usize,
    config: &Config,
) -> Result<Box<dyn Layer>> {
    let space = Space::from_config(config, rank)?;
    stateless_with(class_name, config, &["mask"], move |_, args| {
        let x = args.input()?;
        let Some(mask) = args.tensor(1, "mask")? else { return space.reduce(x, mean) };
        let &[batch, steps] = mask.shape().as_slice() else {
            let found = mask.shape().to_string();
            return Err(Error::shape("mask of global pooling", found, "(batch, steps)"));
        };
        let shape = match space.format {
            DataFormat::ChannelsLast => [batch, steps, 1],
            DataFormat::ChannelsFirst => [batch, 1, steps],
        };
        let mask = mask.cast(DType::Bool).reshape(shape);
        let sum = space.reduce(mask.select(x, x.like(0.0)), Value::sum)?;
        Ok(sum / space.reduce(mask.cast(x.dtype()), Value::sum)?)
    })
}
