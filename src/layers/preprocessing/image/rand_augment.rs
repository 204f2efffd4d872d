//! `keras.layers.RandAugment`: in training, changes images by operations drawn from a list (Cubuk et al. 2019).
//!
//! Output shape = input shape.

use serde_json::{Map, json};

use crate::base::{Error, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::config::{Config, Json};
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::boxes::Boxes;
use crate::layers::preprocessing::image::settings::{factor, value_range};
use crate::layers::{
    AutoContrast, Equalization, Layer, RandomBrightness, RandomColorDegeneration, RandomContrast,
    RandomPosterization, RandomRotation, RandomSharpness, RandomShear, RandomTranslation,
    Solarization,
};

/// The most operations that are drawn: each stands for all of the list in the program.
const MAX_OPERATIONS: i64 = 64;

builder! {
    /// Applies operations drawn from a list to images, in training.
    RandAugment() {
        value_range: [0, 255],
        num_ops: 2,
        factor: 0.5,
        interpolation: "bilinear",
        seed: null,
        data_format: null,
    }
}

struct Drawn {
    /// All operations, in Keras's order.
    operations: Vec<Box<dyn Augment>>,
    /// How many of them are drawn.
    count: usize,
}

impl RandAugment {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        value_range(config)?;
        let count = config.int("num_ops")?;
        if !(0..=MAX_OPERATIONS).contains(&count) {
            return Err(config.bad("num_ops", &format!("from 0 to {MAX_OPERATIONS} operations")));
        }
        let factor = factor(config, "factor", [0.0, 1.0])?;
        let interpolation =
            config.choice("interpolation", &[("nearest", "nearest"), ("bilinear", "bilinear")])?;
        let operations = operations(config, factor, interpolation)?;
        let drawn = Drawn { operations, count: count as usize };
        ImageLayer::boxed("RandAugment", config, drawn)
    }
}

/// The operations of the list with a strength.
fn operations(
    config: &Config,
    strength: [f64; 2],
    interpolation: &str,
) -> Result<Vec<Box<dyn Augment>>> {
    let range = config.get("value_range").clone();
    let of = |defaults: Json, given: Json| {
        let given = match given {
            Json::Object(given) => given,
            _ => Map::new(),
        };
        Config::new(config.owner().to_owned(), given, defaults)
    };
    let colors = |defaults: Json| of(defaults, json!({"factor": strength, "value_range": range}));
    let whole = |defaults: Json| of(defaults, json!({"value_range": range}));
    let bits = ((8.0 * strength[1]) as i64).max(1);
    Ok(vec![
        Box::new(RandomShear::augment(&of(
            RandomShear::defaults(),
            json!({"x_factor": strength, "y_factor": strength, "interpolation": interpolation}),
        ))?),
        Box::new(RandomTranslation::augment(&of(
            RandomTranslation::defaults(),
            json!({"height_factor": strength, "width_factor": strength, "interpolation": interpolation}),
        ))?),
        Box::new(RandomRotation::augment(&of(
            RandomRotation::defaults(),
            json!({"factor": strength, "interpolation": interpolation}),
        ))?),
        Box::new(RandomBrightness::augment(&colors(RandomBrightness::defaults()))?),
        Box::new(RandomColorDegeneration::augment(&colors(RandomColorDegeneration::defaults()))?),
        Box::new(RandomContrast::augment(&colors(RandomContrast::defaults()))?),
        Box::new(RandomSharpness::augment(&colors(RandomSharpness::defaults()))?),
        Box::new(RandomPosterization::augment(&of(
            RandomPosterization::defaults(),
            json!({"factor": bits, "value_range": range}),
        ))?),
        Box::new(Solarization::augment(&of(
            Solarization::defaults(),
            json!({
                "addition_factor": strength, "threshold_factor": strength, "value_range": range
            }),
        ))?),
        Box::new(AutoContrast::augment(&whole(AutoContrast::defaults()))?),
        Box::new(Equalization::augment(&whole(Equalization::defaults()))?),
    ])
}

impl Drawn {
    /// `f` of every operation, where it is drawn.
    fn applied<'g>(
        &self,
        x: Value<'g>,
        draw: &Draw<'g>,
        f: &dyn Fn(&dyn Augment, Value<'g>, &Draw<'g>) -> Result<Value<'g>>,
    ) -> Result<Value<'g>> {
        let [chosen] = draw.take()?;
        let mut x = x;
        for i in 0..self.count {
            let number = chosen.narrow(0, i, 1).reshape([]);
            for (index, operation) in self.operations.iter().enumerate() {
                let changed = f(operation.as_ref(), x, draw.part(index)?)?;
                x = number.binary("eq", number.like(index as f64)).select(changed, x);
            }
        }
        Ok(x)
    }
}

impl Augment for Drawn {
    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        let key = scene.seeds.next(scene.cx)?;
        let chosen = key.randint([self.count], 0, self.operations.len() as i32);
        let mut draw = Draw::from(vec![chosen]);
        for operation in &self.operations {
            draw.parts.push(operation.draw(scene)?);
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
        self.applied(images.cast(dtype), draw, &|operation, x, part| {
            operation.images(scene, x, part).map(|changed| changed.cast(dtype))
        })
    }

    fn masks<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        masks: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        self.applied(masks, draw, &|operation, x, part| {
            operation.masks(scene, x, part).map(|changed| changed.cast(masks.dtype()))
        })
    }

    fn boxes<'g>(&self, _: &Scene<'_, 'g>, _: Boxes<'g>, _: &Draw<'g>) -> Result<Boxes<'g>> {
        Err(Error::Unsupported("RandAugment: bounding boxes in training".into()))
    }
}
