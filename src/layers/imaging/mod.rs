//! The mathematics of images that layers and `keras.ops.image` share.

mod color;
mod elastic;
mod filter;
pub mod interpolation;
mod patches;
mod perspective;
mod sample;
mod similarity;
mod transform;

pub(crate) use color::{hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv, split_channels};
pub(crate) use elastic::{Elastic, elastic_transform};
pub(crate) use filter::{depthwise, gaussian_blur, sobel_edges};
pub(crate) use patches::{Sliding, extract_patches};
pub(crate) use perspective::{in_perspective, perspective_transform};
pub(crate) use sample::{Along, Fill, Sampling, map_coordinates};
pub(crate) use similarity::{Ssim, psnr};
pub(crate) use transform::affine_transform;
