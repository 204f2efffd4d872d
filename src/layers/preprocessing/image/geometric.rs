//! `keras.layers.RandomRotation` and the other layers that move pixels, or compose other layers, in
//! training: their settings are checked, inference passes images on in the compute dtype. Training
//! with them is refused.
//!
//! Output shape = input shape.

use crate::base::{Error, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::{Config, Json};
use crate::layers::imaging::Sampling;
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::settings::{factor, strict_factor, value_range};

/// Passes images on in inference.
struct Untrained {
    class_name: &'static str,
    /// Whether inference leaves the dtype as it is.
    keeps_dtype: bool,
}

impl Augment for Untrained {
    fn inference<'g>(&self, scene: &Scene<'_, 'g>, images: Value<'g>) -> Result<Value<'g>> {
        Ok(if self.keeps_dtype { images } else { images.cast(scene.cx.compute_dtype()) })
    }

    fn draw<'g>(&self, _: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        Err(Error::Unsupported(format!("training with {}", self.class_name)))
    }

    fn images<'g>(&self, scene: &Scene<'_, 'g>, _: Value<'g>, _: &Draw<'g>) -> Result<Value<'g>> {
        self.draw(scene).map(|_| scene.cx.graph().scalar(0.0, scene.cx.compute_dtype()))
    }
}

macro_rules! untrained {
    ($($(#[$doc:meta])* $name:ident ($($required:ident),*) { $($key:ident : $default:tt),* } keeps $keeps:literal, $check:expr;)*) => { $(
        builder! {
            $(#[$doc])*
            $name($($required),*) { $($key: $default),* }
        }

        impl $name {
            pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
                let check: fn(&Config) -> Result<()> = $check;
                check(config)?;
                let augment = Untrained { class_name: stringify!($name), keeps_dtype: $keeps };
                ImageLayer::boxed(stringify!($name), config, augment)
            }
        }
    )* };
}

/// A strength that may be left out.
fn optional(config: &Config, key: &str, bounds: [f64; 2]) -> Result<()> {
    match config.get(key) {
        Json::Null => Ok(()),
        _ => factor(config, key, bounds).map(|_| ()),
    }
}

untrained! {
    /// Rotates images, in training.
    RandomRotation(factor) {
        fill_mode: "reflect", interpolation: "bilinear", seed: null, fill_value: 0.0, data_format: null
    } keeps false, |c| {
        factor(c, "factor", [-1.0, 1.0])?;
        Sampling::from_config(c).map(|_| ())
    };
    /// Moves images, in training.
    RandomTranslation(height_factor, width_factor) {
        fill_mode: "reflect", interpolation: "bilinear", seed: null, fill_value: 0.0, data_format: null
    } keeps false, |c| {
        strict_factor(c, "height_factor", [-1.0, 1.0])?;
        strict_factor(c, "width_factor", [-1.0, 1.0])?;
        Sampling::from_config(c).map(|_| ())
    };
    /// Enlarges or shrinks images, in training.
    RandomZoom(height_factor) {
        width_factor: null, fill_mode: "reflect", interpolation: "bilinear", seed: null,
        fill_value: 0.0, data_format: null
    } keeps false, |c| {
        strict_factor(c, "height_factor", [-1.0, 1.0])?;
        optional(c, "width_factor", [-1.0, 1.0])?;
        Sampling::from_config(c).map(|_| ())
    };
    /// Shears images, in training.
    RandomShear() {
        x_factor: 0.0, y_factor: 0.0, interpolation: "bilinear", fill_mode: "reflect",
        fill_value: 0.0, data_format: null, seed: null
    } keeps false, |c| {
        factor(c, "x_factor", [-1.0, 1.0])?;
        factor(c, "y_factor", [-1.0, 1.0])?;
        Sampling::from_config(c).map(|_| ())
    };
    /// Changes the perspective of images, in training.
    RandomPerspective() {
        factor: 1.0, scale: 1.0, interpolation: "bilinear", fill_value: 0.0, seed: null,
        data_format: null
    } keeps false, |c| {
        factor(c, "factor", [0.0, 1.0])?;
        factor(c, "scale", [0.0, 1.0])?;
        c.float("fill_value")?;
        c.choice("interpolation", &[("nearest", ()), ("bilinear", ())])
    };
    /// Distorts images, in training.
    RandomElasticTransform() {
        factor: 1.0, scale: 1.0, interpolation: "bilinear", fill_mode: "reflect", fill_value: 0.0,
        value_range: [0, 255], seed: null, data_format: null
    } keeps false, |c| {
        factor(c, "factor", [0.0, 1.0])?;
        factor(c, "scale", [0.0, 1.0])?;
        value_range(c)?;
        Sampling::from_config(c).map(|_| ())
    };
    /// Changes brightness, contrast, saturation and hue of images, in training.
    RandomColorJitter() {
        value_range: [0, 255], brightness_factor: null, contrast_factor: null,
        saturation_factor: null, hue_factor: null, seed: null, data_format: null
    } keeps true, |c| {
        value_range(c)?;
        optional(c, "brightness_factor", [-1.0, 1.0])?;
        optional(c, "contrast_factor", [0.0, 1.0])?;
        optional(c, "saturation_factor", [-1.0, 1.0])?;
        optional(c, "hue_factor", [0.0, 1.0])
    };
    /// Applies operations drawn from a list to images, in training.
    RandAugment() {
        value_range: [0, 255], num_ops: 2, factor: 0.5, interpolation: "bilinear", seed: null,
        data_format: null
    } keeps false, |c| {
        value_range(c)?;
        if c.int("num_ops")? < 0 {
            return Err(c.bad("num_ops", "how many operations"));
        }
        factor(c, "factor", [0.0, 1.0])?;
        c.choice("interpolation", &[("nearest", ()), ("bilinear", ())])
    };
    /// Mixes chains of operations on images, in training.
    AugMix() {
        value_range: [0, 255], num_chains: 3, chain_depth: 3, factor: 0.3, alpha: 1.0, all_ops: true,
        interpolation: "bilinear", seed: null, data_format: null
    } keeps false, |c| {
        value_range(c)?;
        c.size("num_chains")?;
        c.size("chain_depth")?;
        factor(c, "factor", [0.0, 1.0])?;
        c.float("alpha")?;
        c.bool("all_ops")?;
        c.choice("interpolation", &[("nearest", ()), ("bilinear", ())])
    };
}
