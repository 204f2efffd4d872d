//! Layers of images.

mod auto_contrast;
mod base;
mod boxes;
mod center_crop;
mod clahe;
mod cut_mix;
mod equalization;
mod geometric;
mod histogram;
mod max_num_bounding_boxes;
mod mix_up;
mod random_brightness;
mod random_color_degeneration;
mod random_contrast;
mod random_crop;
mod random_erasing;
mod random_flip;
mod random_gaussian_blur;
mod random_grayscale;
mod random_hue;
mod random_invert;
mod random_posterization;
mod random_saturation;
mod random_sharpness;
mod rectangle;
mod resizing;
mod settings;
mod solarization;

pub use auto_contrast::AutoContrast;
pub use center_crop::CenterCrop;
pub use clahe::ContrastLimitedAdaptiveHistogramEqualization;
pub use cut_mix::CutMix;
pub use equalization::Equalization;
pub use geometric::{
    AugMix, RandAugment, RandomColorJitter, RandomElasticTransform, RandomPerspective,
    RandomRotation, RandomShear, RandomTranslation, RandomZoom,
};
pub use max_num_bounding_boxes::MaxNumBoundingBoxes;
pub use mix_up::MixUp;
pub use random_brightness::RandomBrightness;
pub use random_color_degeneration::RandomColorDegeneration;
pub use random_contrast::RandomContrast;
pub use random_crop::RandomCrop;
pub use random_erasing::RandomErasing;
pub use random_flip::RandomFlip;
pub use random_gaussian_blur::RandomGaussianBlur;
pub use random_grayscale::RandomGrayscale;
pub use random_hue::RandomHue;
pub use random_invert::RandomInvert;
pub use random_posterization::RandomPosterization;
pub use random_saturation::RandomSaturation;
pub use random_sharpness::RandomSharpness;
pub(crate) use resizing::Resize;
pub use resizing::Resizing;
pub use solarization::Solarization;
