//! The mathematics of images that layers and `keras.ops.image` share.

mod color;
mod filter;
pub mod interpolation;
mod sample;
mod transform;

pub(crate) use color::{hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv, split_channels};
pub(crate) use filter::{depthwise, gaussian_blur};
pub(crate) use sample::{Along, Fill, Sampling, map_coordinates};
pub(crate) use transform::affine_transform;
