//! `keras.layers.RandomColorJitter`: in training, changes brightness, contrast, saturation and hue of images,
//! each where its factor is given.
//!
//! Output shape = input shape.

use serde_json::Map;

use crate::base::Result;
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::{Config, Json};
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::settings::value_range;
use crate::layers::{RandomBrightness, RandomContrast, RandomHue, RandomSaturation};

builder! {
    /// Changes colours of images, in training.
    RandomColorJitter() {
        value_range: [0, 255],
        brightness_factor: null,
        contrast_factor: null,
        saturation_factor: null,
        hue_factor: null,
        seed: null,
        data_format: null,
    }
}

/// The changes, in their order.
struct Jitter(Vec<Box<dyn Augment>>);

/// What makes one change of its settings.
type Change = fn(&Config) -> Result<Box<dyn Augment>>;

/// The key of a change's factor, what makes it, and the defaults of its other settings.
type Row = (&'static str, Change, fn() -> Json);

impl RandomColorJitter {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        value_range(config)?;
        let changes: [Row; 4] = [
            (
                "brightness_factor",
                |c| Ok(Box::new(RandomBrightness::augment(c)?)),
                RandomBrightness::defaults,
            ),
            (
                "contrast_factor",
                |c| Ok(Box::new(RandomContrast::augment(c)?)),
                RandomContrast::defaults,
            ),
            (
                "saturation_factor",
                |c| Ok(Box::new(RandomSaturation::augment(c)?)),
                RandomSaturation::defaults,
            ),
            ("hue_factor", |c| Ok(Box::new(RandomHue::augment(c)?)), RandomHue::defaults),
        ];
        let mut jitter = Vec::new();
        for (key, change, defaults) in changes {
            let factor = config.get(key).clone();
            if !factor.is_null() {
                let range = config.get("value_range").clone();
                let given = [("factor", factor), ("value_range", range)];
                let given: Map<String, Json> =
                    given.map(|(k, v)| (k.to_owned(), v)).into_iter().collect();
                let owner = format!("{} ({key})", config.owner());
                jitter.push(change(&Config::new(owner, given, defaults()))?);
            }
        }
        ImageLayer::boxed("RandomColorJitter", config, Jitter(jitter))
    }
}

impl Augment for Jitter {
    fn inference<'g>(&self, _: &Scene<'_, 'g>, images: Value<'g>) -> Result<Value<'g>> {
        Ok(images)
    }

    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        let mut draw = Draw::default();
        for change in &self.0 {
            draw.parts.push(change.draw(scene)?);
        }
        Ok(draw)
    }

    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let dtype = scene.cx.compute_dtype();
        let changes = self.0.iter().zip(&draw.parts);
        let changed = changes
            .map(|(change, part)| move |x: Value<'g>| change.images(scene, x, part))
            .try_fold(images.cast(dtype), |x, change| change(x))?;
        Ok(changed.cast(dtype))
    }
}
