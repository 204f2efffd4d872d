//! `keras.layers.ZeroPadding1D`, `ZeroPadding2D`, `ZeroPadding3D`: zeros around the spatial axes.
//!
//! Input (batch, space…, channels) → output (batch, front + space + back…, channels).

use super::Margins;
use crate::base::Result;
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::stateless::stateless;

macro_rules! zero_padding {
    ($($(#[$doc:meta])* $name:ident $rank:literal)*) => { $(
        builder! {
            $(#[$doc])*
            $name() {
                padding: 1,
                data_format: null,
            }
        }

        impl $name {
            pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
                let margins = Margins::from_config(config, "padding", $rank)?;
                stateless(stringify!($name), config, move |_, args| {
                    let x = args.input()?;
                    let (front, back) = margins.around(x)?;
                    Ok(x.pad(&front, &back, 0.0))
                })
            }
        }
    )* };
}

zero_padding! {
    /// Zeros around one spatial axis.
    ZeroPadding1D 1
    /// Zeros around two spatial axes.
    ZeroPadding2D 2
    /// Zeros around three spatial axes.
    ZeroPadding3D 3
}
