//! `keras.layers.Cropping1D`, `Cropping2D`, `Cropping3D`: the edges of the spatial axes removed.
//!
//! Input (batch, space…, channels) → output (batch, space − front − back…, channels).

use super::Margins;
use crate::base::{Error, Result, Shape};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::stateless::stateless;

macro_rules! cropping {
    ($($(#[$doc:meta])* $name:ident $rank:literal $default:tt ($($format:tt)*))*) => { $(
        builder! {
            $(#[$doc])*
            $name() {
                cropping: $default,
                $($format)*
            }
        }

        impl $name {
            pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
                let margins = Margins::from_config(config, "cropping", $rank)?;
                stateless(stringify!($name), config, move |_, args| crop(args.input()?, &margins))
            }
        }
    )* };
}

cropping! {
    /// Edges of one spatial axis removed.
    Cropping1D 1 [1, 1] ()
    /// Edges of two spatial axes removed.
    Cropping2D 2 [[0, 0], [0, 0]] (data_format: null)
    /// Edges of three spatial axes removed.
    Cropping3D 3 [[1, 1], [1, 1], [1, 1]] (data_format: null)
}

fn crop<'g>(x: Value<'g>, margins: &Margins) -> Result<Value<'g>> {
    let (front, back) = margins.around(x)?;
    let shape = x.shape();
    let removed = front.iter().zip(&back).map(|(f, b)| f + b);
    let kept: Option<Shape> = shape
        .iter()
        .zip(removed)
        .map(|(&extent, removed)| match removed {
            0 => Some(extent),
            _ => extent.checked_sub(removed).filter(|&n| n > 0),
        })
        .collect::<Option<Vec<usize>>>()
        .map(Shape::from);
    let kept = kept.ok_or_else(|| {
        let found = format!("{front:?} and {back:?} off {shape}");
        Error::shape("cropping", found, "less than the extents")
    })?;
    Ok(x.slice(&front, &kept, &vec![1; shape.rank()]))
}
