//! `keras.ops.image`.

use crate::layers::Resize as Settings;
use crate::operations::operations;

operations! {
    /// Functions of images.
    IMAGE:
    Resize(images) {
        size: null,
        interpolation: "bilinear",
        antialias: false,
        crop_to_aspect_ratio: false,
        pad_to_aspect_ratio: false,
        fill_mode: "constant",
        fill_value: 0.0,
        data_format: null
    } |c| {
        let size = c.config.sizes("size", 2)?;
        Settings::from_config(c.config, [size[0], size[1]])?.apply(c.value(0)?)
    };
}
