//! Reshaping layers.

mod cropping;
mod flatten;
mod permute;
mod repeat_vector;
mod reshape;
mod up_sampling;
mod zero_padding;

pub use cropping::{Cropping1D, Cropping2D, Cropping3D};
pub use flatten::Flatten;
pub use permute::Permute;
pub use repeat_vector::RepeatVector;
pub use reshape::Reshape;
pub(crate) use reshape::resolve_shape;
pub use up_sampling::{UpSampling1D, UpSampling2D, UpSampling3D};
pub use zero_padding::{ZeroPadding1D, ZeroPadding2D, ZeroPadding3D};

use crate::base::{Error, Result};
use crate::graph::Value;
use crate::layers::config::{Config, Json};
use crate::layers::spatial::DataFormat;

/// Elements in front of and behind each spatial axis.
#[derive(Clone, Debug)]
struct Margins {
    margins: Vec<(usize, usize)>,
    format: DataFormat,
}

impl Margins {
    /// Reads one number for all, one per axis, or a pair per axis. A single axis takes a bare pair.
    fn from_config(config: &Config, key: &str, rank: usize) -> Result<Margins> {
        let bad = || config.bad(key, &format!("{rank} pairs of non-negative integers"));
        let one = |json: &Json| {
            let n = json.as_u64().filter(|&n| n <= u64::from(u32::MAX));
            n.map(|n| n as usize).ok_or_else(bad)
        };
        let pair = |json: &Json| match json {
            Json::Array(items) => match items.as_slice() {
                [front, back] => Ok((one(front)?, one(back)?)),
                _ => Err(bad()),
            },
            n => one(n).map(|n| (n, n)),
        };
        let margins = match config.get(key) {
            json @ Json::Array(_) if rank == 1 => vec![pair(json)?],
            Json::Array(items) => items.iter().map(pair).collect::<Result<_>>()?,
            n => vec![pair(n)?; rank],
        };
        if margins.len() != rank {
            return Err(bad());
        }
        Ok(Margins { margins, format: DataFormat::from_config(config)? })
    }

    /// What is in front of and behind each axis of `x`.
    fn around(&self, x: Value<'_>) -> Result<(Vec<usize>, Vec<usize>)> {
        let rank = x.rank();
        if rank != self.margins.len() + 2 {
            let expected = format!("a batch, {} spatial axes and channels", self.margins.len());
            return Err(Error::shape("margins", x.shape().to_string(), expected));
        }
        let (mut front, mut back) = (vec![0; rank], vec![0; rank]);
        for (axis, &margin) in (self.format.first_spatial_axis()..).zip(&self.margins) {
            (front[axis], back[axis]) = margin;
        }
        Ok((front, back))
    }
}
