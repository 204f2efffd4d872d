//! `keras.layers.AdaptiveMaxPooling…D`, `AdaptiveAveragePooling…D`: pooling to a given number of windows.
//!
//! Along an axis of extent n with m windows, window i covers ⌊i · n / m⌋ to ⌈(i + 1) · n / m⌉.
//!
//! Input (batch, space…, channels) → output (batch, output_size…, channels).

use crate::base::{Error, Result};
use crate::builder;
use crate::graph::Value;
use crate::graph::ops::PoolMode;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::spatial::{DataFormat, Padding, Window};
use crate::layers::stateless::stateless;
use crate::tensor::Tensor;

macro_rules! adaptive_pooling {
    ($($(#[$doc:meta])* $name:ident $mode:ident $rank:literal)*) => { $(
        builder! {
            $(#[$doc])*
            $name(output_size) {
                data_format: null,
            }
        }

        impl $name {
            pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
                adaptive(stringify!($name), PoolMode::$mode, $rank, config)
            }
        }
    )* };
}

adaptive_pooling! {
    /// Largest elements of a given number of windows.
    AdaptiveMaxPooling1D Max 1
    /// Largest elements of a given number of windows along each of two axes.
    AdaptiveMaxPooling2D Max 2
    /// Largest elements of a given number of windows along each of three axes.
    AdaptiveMaxPooling3D Max 3
    /// Means of a given number of windows.
    AdaptiveAveragePooling1D Average 1
    /// Means of a given number of windows along each of two axes.
    AdaptiveAveragePooling2D Average 2
    /// Means of a given number of windows along each of three axes.
    AdaptiveAveragePooling3D Average 3
}

/// The largest number of windows along one axis.
const MAX_WINDOWS: usize = 1 << 20;

fn adaptive(
    class_name: &'static str,
    mode: PoolMode,
    rank: usize,
    config: &Config,
) -> Result<Box<dyn Layer>> {
    let counts = counts(config, rank)?;
    let format = DataFormat::from_config(config)?;
    stateless(class_name, config, move |_, args| {
        Ok(format.restore(adaptive_pool(format.to_last(args.input()?), &counts, mode)?))
    })
}

/// The number of windows along each spatial axis, under `output_size`.
pub(crate) fn counts(config: &Config, rank: usize) -> Result<Vec<usize>> {
    let counts = config.sizes("output_size", rank)?;
    if counts.iter().any(|&count| count > MAX_WINDOWS) {
        return Err(config.bad("output_size", &format!("at most {MAX_WINDOWS}")));
    }
    Ok(counts)
}

/// Pooling of `(batch, space…, channels)` to `counts` windows along the spatial axes.
pub(crate) fn adaptive_pool<'g>(
    x: Value<'g>,
    counts: &[usize],
    mode: PoolMode,
) -> Result<Value<'g>> {
    let rank = counts.len();
    if x.rank() != rank + 2 || x.shape().is_empty() {
        let expected = format!("a batch, {rank} spatial axes and channels, none empty");
        return Err(Error::shape("adaptive pooling", x.shape().to_string(), expected));
    }
    let axes = counts.iter().enumerate();
    axes.into_iter().try_fold(x, |x, (i, &count)| along(x, rank, i, count, mode))
}

/// Pooling to `count` windows along one spatial axis. Their extents differ by at most one, so all are
/// found among the windows of two sizes at every position.
fn along<'g>(
    x: Value<'g>,
    rank: usize,
    spatial: usize,
    count: usize,
    mode: PoolMode,
) -> Result<Value<'g>> {
    let axis = spatial + 1;
    let extent = x.extent(axis);
    let small = extent.div_ceil(count);
    let every = |size: usize| {
        let mut sizes = vec![1; rank];
        sizes[spatial] = size;
        let ones = vec![1; rank];
        Window::new(rank, [&sizes, &ones, &ones], Padding::Valid).pool(x, mode)
    };
    let mut pooled = vec![every(small)?];
    if small < extent {
        pooled.push(every(small + 1)?);
    }
    let position = |i: usize| {
        let (start, end) = (i * extent / count, ((i + 1) * extent).div_ceil(count));
        let large = end - start > small;
        (if large { extent - small + 1 + start } else { start }) as i32
    };
    let positions: Vec<i32> = (0..count).map(position).collect();
    let positions = x.graph().constant(Tensor::new([count], &positions)?);
    Ok(x.graph().concat(&pooled, axis).gather(positions, axis))
}
